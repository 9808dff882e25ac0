## SPDX-License-Identifier: MIT
# ---- client: what is installed, and how to stop it ----
$script:StoppedClient = $false

# The service of the client, nothing where there is none.
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
    $folder = [IO.Path]::Combine((Get-KnownFolder 'ProgramFiles'), 'rport')
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

# Stops the service and whatever process of the client is left.
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
    for ($second = 0; $service -and [string](Get-ClientService).Status -ne 'Stopped'; $second++) {
        if ($second -ge 10) {
            Stop-WithError 1 'The service rport does not stop.' 'End rport.exe in the task manager, then run the script again.'
        }
        Start-Sleep -Seconds 1
    }
}

# After a failure or Ctrl+C: what ran before shall run again. Start-Client resets the mark.
function Restore-StoppedClient {
    if ($script:StoppedClient -and (Get-ClientService)) {
        Write-Note 'Starting the service again that this script had stopped.'
        Start-Service -Name 'rport' -ErrorAction SilentlyContinue
    }
    $script:StoppedClient = $false
}

# A service that was deleted while a program had it open stays, marked, until that program ends: Windows neither starts it
# nor creates it again. The registry says so in every language.
function Assert-ServiceNotMarked {
    $service = Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Services\rport' -ErrorAction SilentlyContinue
    if ($service -and $service.PSObject.Properties['DeleteFlag'] -and $service.DeleteFlag) {
        Stop-WithError 1 'The service rport is marked for deletion, but some program still has it open.' 'Close the services console (services.msc), the task manager and the event viewer, then run the script again. If that does not help, restart this machine.'
    }
}

# Deletes the service and waits until Windows has done so.
function Remove-ClientService {
    if (Get-ClientService) {
        $result = Invoke-Native 'sc.exe' @('delete', 'rport')
        if ($result.ExitCode -ne 0) {
            Assert-ServiceNotMarked
            Stop-WithError 1 ('The service rport could not be removed: ' + $result.Output) 'Close the services console and the event viewer, then run the script again.'
        }
        for ($second = 0; $second -lt 30 -and (Get-ClientService); $second++) {
            Start-Sleep -Seconds 1
        }
        Assert-ServiceNotMarked
    }
}

# Runs a command as SYSTEM outside of the client's process tree, a few seconds from now.
function Start-Detached([string]$Command) {
    $shell = [IO.Path]::Combine((Get-KnownFolder 'Windows'), 'System32', 'WindowsPowerShell', 'v1.0', 'powershell.exe')
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

# The version that a client says it has, '' when it does not run.
function Get-InstalledVersion([string]$Exe) {
    if (-not [IO.File]::Exists($Exe)) {
        return ''
    }
    $result = Invoke-Native $Exe @('--version')
    if ($result.Output -match '([0-9]+\.[0-9]+[0-9A-Za-z.+-]*)') {
        return $Matches[1]
    }
    return ''
}

# msiexec; 3010 and 1641 are successes that want a restart of Windows.
function Invoke-Msi([string]$Arguments, [string]$What) {
    $msiLog = [IO.Path]::Combine([IO.Path]::GetTempPath(), 'rport-msi-' + [guid]::NewGuid().ToString('N').Substring(0, 12) + '.log')
    for ($try = 1; $try -le 6; $try++) {
        $process = Start-Process -FilePath 'msiexec.exe' -ArgumentList ($Arguments + ' /qn /norestart /l*v "' + $msiLog + '"') -Wait -PassThru
        if ($process.ExitCode -ne 1618) { break }
        Write-Note 'Another installation is running, waiting for it.'
        Start-Sleep -Seconds 10
    }
    if ($process.ExitCode -eq 3010 -or $process.ExitCode -eq 1641) {
        Write-Note 'Windows Installer asks for a restart of this machine.'
    } elseif ($process.ExitCode -ne 0) {
        Stop-WithError 1 ($What + ' failed: msiexec ended with code ' + $process.ExitCode + '.') ('The reason is in ' + $msiLog)
    }
    if ([IO.File]::Exists($msiLog)) {
        [IO.File]::Delete($msiLog)
    }
}

# The MSI product of the client that Windows has registered: Code, Version. $null when there is none.
function Get-MsiProduct {
    foreach ($key in @(Get-ChildItem -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall' -ErrorAction SilentlyContinue)) {
        if ($key.PSChildName -notmatch '\A\{[0-9A-Fa-f-]{36}\}\z') { continue }
        try {
            $entry = Get-ItemProperty -LiteralPath $key.PSPath
            $name = $entry.PSObject.Properties['DisplayName']
            $version = $entry.PSObject.Properties['DisplayVersion']
        } catch {
            # A broken value of some other program.
            continue
        }
        if ($name -and $version -and $name.Value -match '\Arport( client)?( [0-9.]+)?\z') {
            return [pscustomobject]@{ Code = $key.PSChildName; Version = [string]$version.Value }
        }
    }
    return $null
}
