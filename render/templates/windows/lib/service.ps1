# ---- service: the Windows service rport, its log, its connection ----
$script:StoppedClient = $false

function Get-ClientService {
    Get-Service -Name 'rport' -ErrorAction SilentlyContinue
}

# The executable in the command line of a service.
function Get-CommandPath([string]$CommandLine) {
    if ($CommandLine -match '\A\s*"([^"]+)"') { return $Matches[1] }
    if ($CommandLine -match '\A\s*(.+?\.exe)(\s|\z)') { return $Matches[1] }
    return ''
}

# The configuration file in the command line of a service.
function Get-CommandConfig([string]$CommandLine) {
    if ($CommandLine -match '\s(?:-c|--config)[ =]+"([^"]+)"') { return $Matches[1] }
    if ($CommandLine -match '\s(?:-c|--config)[ =]+(\S+)') { return $Matches[1] }
    return ''
}

# What is installed: Folder, Exe, ConfigPath, Account, Version ('' when there is none), Product (MSI), Registered.
function Get-Client {
    $folder = [IO.Path]::Combine($env:ProgramFiles, 'rport')
    $exe = [IO.Path]::Combine($folder, 'rport.exe')
    $config = ''
    $account = ''
    $registered = $false
    $service = Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Services\rport' -ErrorAction SilentlyContinue
    if ($service) {
        $registered = $true
        $account = [string]$service.ObjectName
        $path = Get-CommandPath ([string]$service.ImagePath)
        if ($path -and [IO.Path]::GetFileName($path) -eq 'rport.exe' -and [IO.Path]::IsPathRooted($path)) {
            $exe = $path
            $folder = [IO.Path]::GetDirectoryName($path)
            $config = Get-CommandConfig ([string]$service.ImagePath)
        }
    }
    if (-not $config -or -not [IO.Path]::IsPathRooted($config)) {
        $config = [IO.Path]::Combine($folder, 'rport.conf')
    }
    [pscustomobject]@{
        Folder = $folder; Exe = $exe; ConfigPath = $config; Account = $account; Registered = $registered
        Version = (Get-InstalledVersion $exe); Product = (Get-MsiProduct)
    }
}

# Whether this script is a child of the client, as a command or script that was sent to it.
function Test-InsideClient {
    try {
        $id = $PID
        $born = $null
        for ($step = 0; $step -lt 32 -and $id; $step++) {
            $process = Get-CimInstance -ClassName Win32_Process -Filter ('ProcessId = ' + $id)
            # A parent that is younger than its child is another process with the same number.
            if (-not $process -or ($born -and $process.CreationDate -gt $born)) { return $false }
            if ($process.Name -eq 'rport.exe') { return $true }
            $born = $process.CreationDate
            $id = $process.ParentProcessId
        }
    } catch {
        Write-Note ('The parent processes could not be read: ' + $_.Exception.Message)
    }
    return $false
}

function Stop-Client($Client) {
    $service = Get-ClientService
    if ($service -and [string]$service.Status -ne 'Stopped') {
        $script:StoppedClient = $true
        Stop-Service -Name 'rport' -Force -ErrorAction SilentlyContinue
        for ($second = 0; $second -lt 30; $second++) {
            if ([string](Get-ClientService).Status -eq 'Stopped') { break }
            Start-Sleep -Seconds 1
        }
    }
    foreach ($process in @(Get-Process -Name 'rport' -ErrorAction SilentlyContinue)) {
        if ($process.Path -eq $Client.Exe) {
            Stop-Process -Id $process.Id -Force -ErrorAction SilentlyContinue
        }
    }
}

# After a failure: what ran before shall run again.
function Restore-StoppedClient {
    if ($script:StoppedClient -and (Get-ClientService)) {
        Write-Note 'Starting the service again that this script had stopped.'
        Start-Service -Name 'rport' -ErrorAction SilentlyContinue
    }
    $script:StoppedClient = $false
}

function Remove-ClientService {
    if (Get-ClientService) {
        $result = Invoke-Native 'sc.exe' @('delete', 'rport')
        if ($result.ExitCode -ne 0) {
            Stop-WithError 1 ('The service rport could not be removed: ' + $result.Output) 'Close the services console and the event viewer, then run the script again.'
        }
        for ($second = 0; $second -lt 30 -and (Get-ClientService); $second++) {
            Start-Sleep -Seconds 1
        }
    }
}

# Creates the service where there is none, then sets delayed automatic start and restarts after failures.
function Register-Client($Client) {
    $service = Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Services\rport' -ErrorAction SilentlyContinue
    if ($service -and (Get-CommandPath ([string]$service.ImagePath)) -ne $Client.Exe) {
        Remove-ClientService
        $service = $null
    }
    if (-not $service) {
        $result = Invoke-Native $Client.Exe @('--service', 'install', '--config', $Client.ConfigPath)
        if ($result.ExitCode -ne 0) {
            Stop-WithError 4 ('The client did not register its service: ' + (Hide-Secret $result.Output)) ('Check ' + $Client.ConfigPath)
        }
    }
    foreach ($arguments in @(
            @('config', 'rport', 'start=', 'delayed-auto'),
            @('failure', 'rport', 'reset=', '86400', 'actions=', 'restart/30000/restart/60000/restart/120000'),
            @('failureflag', 'rport', '1'))) {
        $result = Invoke-Native 'sc.exe' $arguments
        if ($result.ExitCode -ne 0) {
            Write-Note ('sc.exe ' + ($arguments -join ' ') + ' failed: ' + $result.Output)
        }
    }
}

# Lines that were added to the log behind an offset, also while the client writes to it.
function Get-NewLogLine([string]$Path, [long]$Offset) {
    if (-not $Path -or -not [IO.File]::Exists($Path)) {
        return
    }
    $share = [IO.FileShare]::ReadWrite -bor [IO.FileShare]::Delete
    $stream = [IO.File]::Open($Path, [IO.FileMode]::Open, [IO.FileAccess]::Read, $share)
    try {
        if ($stream.Length -ge $Offset) {
            $null = $stream.Seek($Offset, [IO.SeekOrigin]::Begin)
        }
        $reader = New-Object IO.StreamReader $stream
        $reader.ReadToEnd().Split("`n") | ForEach-Object { $_.TrimEnd("`r") } | Where-Object { $_ }
    } finally {
        $stream.Dispose()
    }
}

function Get-FileLength([string]$Path) {
    if ($Path -and [IO.File]::Exists($Path)) {
        return ([IO.FileInfo]$Path).Length
    }
    return [long]0
}

# What the log says: 'connected', 'refused', 'duplicate', 'invalid', 'untrusted' or ''. The last word counts.
function Get-LogVerdict([string[]]$Lines) {
    $verdict = ''
    foreach ($line in $Lines) {
        if ($line -cmatch 'Connected to') { $verdict = 'connected' }
        elseif ($line -match 'Authentication failed') { $verdict = 'refused' }
        elseif ($line -match 'client id .* is already in use') { $verdict = 'duplicate' }
        elseif ($line -match 'invalid config|config validation failed') { $verdict = 'invalid' }
        elseif ($line -match 'Invalid fingerprint') { $verdict = 'untrusted' }
    }
    $verdict
}

# Starts the service and waits until its log tells whether the client is connected. Connected, Reason, Lines.
function Start-Client($Client, [string]$LogPath, [int]$Seconds) {
    $offset = Get-FileLength $LogPath
    $verdict = ''
    $lines = @()
    $started = $true
    try {
        Start-Service -Name 'rport'
    } catch {
        $started = $false
        $lines = @($_.Exception.Message)
    }
    $script:StoppedClient = $false
    for ($second = 0; $started -and $second -lt $Seconds; $second++) {
        Start-Sleep -Seconds 1
        $lines = @(Get-NewLogLine $LogPath $offset)
        $verdict = Get-LogVerdict $lines
        if ($verdict) { break }
        if ([string](Get-ClientService).Status -eq 'Stopped') {
            $verdict = 'stopped'
            break
        }
    }
    $reasons = @{
        'refused' = 'The server refuses the client id or the password. Create a new pairing code; five refusals block this address for an hour.'
        'duplicate' = 'The server already knows a client with this id. Remove it there, or change id in the configuration of a cloned machine.'
        'invalid' = 'The client does not accept its configuration file.'
        'untrusted' = 'The fingerprint of the server is not the one that was deposited. Somebody may be between this machine and the server.'
        'stopped' = 'The service ended at once. Start rport.exe by hand to see why, or look into the event log.'
        '' = 'The log shows no connection yet. Check firewall and proxy between this machine and the server.'
    }
    $reason = $reasons[$verdict]
    if (-not $started) {
        $reason = 'Windows could not start the service.'
    }
    [pscustomobject]@{
        Connected = ($verdict -eq 'connected'); Reason = $reason
        Lines = @($lines | Select-Object -Last 15 | ForEach-Object { Hide-Secret $_ })
    }
}

# The http address behind a server setting: http, https, ws, wss or host:port.
function Get-ServerUrl([string]$Server) {
    if ($Server -match '\A(https?://.*)\z') { return $Server }
    if ($Server -match '\Awss://(.*)\z') { return 'https://' + $Matches[1] }
    if ($Server -match '\Aws://(.*)\z') { return 'http://' + $Matches[1] }
    return 'http://' + $Server
}

# Any HTTP answer counts. Returns the proxy that was needed, '' for none; ends the script when nothing answers.
function Test-Server([string]$Server) {
    $url = Get-ServerUrl $Server
    $failure = $null
    $proxy = ''
    foreach ($direct in @($true, $false)) {
        if (-not $direct) {
            $proxy = Get-SystemProxy $url
            if (-not $proxy) { break }
        }
        try {
            (Open-Url $url 15 -Direct:$direct).Close()
            return $proxy
        } catch {
            $seen = Get-WebFailure $_.Exception
            # What a proxy answers for itself is no word from the server.
            if ($seen.Status -gt 0 -and ($direct -or @(407, 502, 503, 504) -notcontains $seen.Status)) {
                return $proxy
            }
            $failure = $seen
        }
    }
    $advice = switch ($failure.Name) {
        'NameResolutionFailure' { 'The name of the server is not known here: check DNS and the spelling.' }
        'ProxyNameResolutionFailure' { 'The name of the proxy is not known: check the proxy settings of Windows.' }
        'ConnectFailure' { 'Nobody listens there, or a firewall is in between: check address, port and firewall.' }
        'Timeout' { 'No answer in 15 seconds: a firewall may drop the packets.' }
        'TrustFailure' { 'The certificate of the server is not trusted by this machine: check the certificate and the clock.' }
        'SecureChannelFailure' { 'No TLS connection: check the certificate of the server, the clock, and that TLS 1.2 is possible.' }
        default { 'Check the address of the server, firewall and proxy.' }
    }
    Stop-WithError 2 ('The server ' + $url + ' cannot be reached: ' + $failure.Message) $advice
}

# The proxy that Windows uses for a URL, '' for none.
function Get-SystemProxy([string]$Url) {
    $settings = [Net.WebRequest]::DefaultWebProxy
    $uri = [Uri]$Url
    if (-not $settings -or $settings.IsBypassed($uri)) {
        return ''
    }
    $proxy = $settings.GetProxy($uri)
    if (-not $proxy -or $proxy -eq $uri) {
        return ''
    }
    return $proxy.GetLeftPart([UriPartial]::Authority)
}

# Runs a command as SYSTEM outside of the client's process tree, a few seconds from now.
function Start-Detached([string]$Command) {
    $shell = [IO.Path]::Combine($env:SystemRoot, 'System32', 'WindowsPowerShell', 'v1.0', 'powershell.exe')
    $arguments = '-NoProfile -NonInteractive -ExecutionPolicy Bypass ' + $Command
    if (Get-Command Register-ScheduledTask -ErrorAction SilentlyContinue) {
        $name = 'rport-' + [guid]::NewGuid().ToString('N').Substring(0, 12)
        $action = New-ScheduledTaskAction -Execute $shell -Argument $arguments
        $start = [DateTime]::Now.AddSeconds(15)
        $trigger = New-ScheduledTaskTrigger -Once -At $start
        # Windows removes the task an hour after its end boundary.
        $trigger.EndBoundary = $start.AddHours(1).ToString('s')
        $settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -StartWhenAvailable -DeleteExpiredTaskAfter ([TimeSpan]::FromHours(1))
        $null = Register-ScheduledTask -TaskName $name -Action $action -Trigger $trigger -Settings $settings -User 'NT AUTHORITY\SYSTEM' -RunLevel Highest
        return
    }
    $result = Invoke-CimMethod -ClassName Win32_Process -MethodName Create -Arguments @{ CommandLine = '"' + $shell + '" ' + $arguments }
    if ($result.ReturnValue -ne 0) {
        Stop-WithError 1 'Windows did not start a process outside of the client.' 'Run the script on the machine itself.'
    }
}
