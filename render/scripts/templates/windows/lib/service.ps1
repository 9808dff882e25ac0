## SPDX-License-Identifier: MIT
# ---- service: the Windows service rport, its log, its connection ----

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

# The length of a file, 0 where there is none.
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

# Starts the service and waits until its log tells whether the client is connected. Connected, Verdict, Reason, Lines.
# With -Blind, for a log that does not show connections, a client that is still running after half the time will do.
function Start-Client($Client, [string]$LogPath, [int]$Seconds, [switch]$Blind) {
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
        if ($Blind -and $second -ge $Seconds / 2) {
            $verdict = 'running'
            break
        }
    }
    $reasons = @{
        'refused' = 'The server refuses the client id or the password. Create a new pairing code; five refusals block this address for an hour, so the service is not left running with them.'
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
        Connected = (@('connected', 'running') -contains $verdict); Verdict = $verdict; Reason = $reason
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
    $uri = $null
    if (-not [Uri]::TryCreate($Url, [UriKind]::Absolute, [ref]$uri) -or -not $settings -or $settings.IsBypassed($uri)) {
        return ''
    }
    $proxy = $settings.GetProxy($uri)
    if (-not $proxy -or $proxy -eq $uri) {
        return ''
    }
    return $proxy.GetLeftPart([UriPartial]::Authority)
}
