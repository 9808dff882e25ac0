# SPDX-License-Identifier: MIT
# RECORDING STUBS of what only Windows has: services, Windows Installer, registry, scheduled tasks, CIM, network
# cards, signatures, icacls.exe and sc.exe. Each call adds a line to $World.Record; what it changes is kept as files in
# $World.State, so that the stand-in client (a separate process) sees and changes the same machine:
#   service         the command line of the registered service
#   service.status  Running or Stopped
#   product         '<code> <version>' of the registered MSI package
# $World is set by the test; its keys are described in ../pssupport.py.

function Get-State([string]$Name) {
    $path = [IO.Path]::Combine($World.State, $Name)
    if ([IO.File]::Exists($path)) { return [IO.File]::ReadAllText($path) }
    return $null
}

function Set-State([string]$Name, $Value) {
    $path = [IO.Path]::Combine($World.State, $Name)
    if ($null -eq $Value) { [IO.File]::Delete($path) } else { [IO.File]::WriteAllText($path, $Value) }
}

function Get-Service {
    [CmdletBinding()]
    param([string]$Name)
    if ($null -ne (Get-State 'service')) {
        [pscustomobject]@{ Name = $Name; Status = (Get-State 'service.status') }
    }
}

function Stop-Service {
    [CmdletBinding()]
    param([string]$Name, [switch]$Force)
    Add-Record ('Stop-Service ' + $Name)
    if (-not $World.ServiceHangs) { Set-State 'service.status' 'Stopped' }
}

# Runs the stand-in client once: it reads its configuration and writes to its log.
function Start-Service {
    [CmdletBinding()]
    param([string]$Name)
    Add-Record ('Start-Service ' + $Name)
    if ($World.StartFails) { throw 'Service rport cannot be started.' }
    $line = Get-State 'service'
    if ($line -notmatch '\A"([^"]+)" -c "([^"]+)"\z') { throw ('unexpected command line of the service: ' + $line) }
    Set-State 'service.status' 'Running'
    & $Matches[1] '--stand-in' 'run' '-c' $Matches[2]
    if ($LASTEXITCODE -ne 0) { Set-State 'service.status' 'Stopped' }
}

function Get-Process {
    [CmdletBinding()]
    param([string]$Name)
    if ($World.Hanging) { [pscustomobject]@{ Id = 4711; Path = $World.Hanging } }
}

function Stop-Process {
    [CmdletBinding()]
    param($Id, [switch]$Force)
    Add-Record ('Stop-Process ' + $Id)
    Set-State 'service.status' 'Stopped'
}

function Get-ChildItem {
    [CmdletBinding()]
    param([string]$LiteralPath)
    if ($LiteralPath -ne 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall') { throw ('unexpected path ' + $LiteralPath) }
    $names = @('7-Zip', '{00000000-1111-2222-3333-444444444444}', '{00000000-1111-2222-3333-555555555555}', '{00000000-1111-2222-3333-666666666666}')
    $product = Get-State 'product'
    if ($product) { $names += $product.Split(' ')[0] }
    foreach ($name in $names) {
        [pscustomobject]@{ PSChildName = $name; PSPath = 'Registry::' + $name }
    }
}

function Get-ItemProperty {
    [CmdletBinding()]
    param([string]$LiteralPath)
    if ($LiteralPath -eq 'HKLM:\SYSTEM\CurrentControlSet\Services\rport') {
        $line = Get-State 'service'
        if ($null -ne $line) {
            $values = @{ ImagePath = $line; ObjectName = $World.Account }
            if ($World.Marked) { $values.DeleteFlag = 1 }
            [pscustomobject]$values
        }
        return
    }
    switch ($LiteralPath) {
        'Registry::{00000000-1111-2222-3333-444444444444}' { [pscustomobject]@{ PSChildName = 'no name' } }
        'Registry::{00000000-1111-2222-3333-555555555555}' { [pscustomobject]@{ DisplayName = 'RPort Server'; DisplayVersion = '9.9' } }
        'Registry::{00000000-1111-2222-3333-666666666666}' { throw 'Specified cast is not valid.' }
        default {
            $product = Get-State 'product'
            if ($LiteralPath -ne ('Registry::' + $product.Split(' ')[0])) { throw ('unexpected path ' + $LiteralPath) }
            [pscustomobject]@{ DisplayName = 'RPort'; DisplayVersion = $product.Split(' ')[1] }
        }
    }
}

# Windows Installer: /i puts the stand-in client and its service in place, /x takes them away.
function Start-Process {
    [CmdletBinding()]
    param([string]$FilePath, [string]$ArgumentList, [switch]$Wait, [switch]$PassThru)
    Add-Record ('Start-Process ' + $FilePath + ' ' + $ArgumentList)
    if ($FilePath -ne 'msiexec.exe') { throw ('unexpected program ' + $FilePath) }
    $code = 0
    if ($World.MsiCodes) {
        $code = $World.MsiCodes[0]
        if ($World.MsiCodes.Count -gt 1) { $World.MsiCodes = @($World.MsiCodes[1..($World.MsiCodes.Count - 1)]) }
    }
    if ($code -eq 0 -or $code -eq 3010) {
        if ($ArgumentList -match '\A/i "([^"]+)" INSTALLDIR="([^"]+)" /qn /norestart /l\*v "([^"]+)"\z') {
            $package = $Matches[1]
            $folder = $Matches[2]
            if (-not [IO.File]::Exists($package)) { throw 'no package' }
            # The package of the tests: the four bytes of an MSI file, then the stand-in client.
            $bytes = [IO.File]::ReadAllBytes($package)
            $version = [regex]::Match([Text.Encoding]::UTF8.GetString($bytes), 'VERSION = "([^"]+)"').Groups[1].Value
            $null = [IO.Directory]::CreateDirectory($folder)
            $exe = [IO.Path]::Combine($folder, 'rport.exe')
            [IO.File]::WriteAllBytes($exe, $bytes[4..($bytes.Length - 1)])
            [IO.File]::SetUnixFileMode($exe, [IO.UnixFileMode]'UserRead, UserWrite, UserExecute')
            [IO.File]::Copy($World.Example, [IO.Path]::Combine($folder, 'rport.example.conf'), $true)
            Set-State 'service' ('"' + $exe + '" -c "' + [IO.Path]::Combine($folder, 'rport.conf') + '"')
            Set-State 'service.status' 'Stopped'
            Set-State 'product' ('{01234567-89AB-CDEF-0123-456789ABCDEF} ' + $version)
        } elseif ($ArgumentList -match '\A/x (\{[0-9A-F-]+\}) /qn /norestart /l\*v "([^"]+)"\z') {
            $exe = (Get-State 'service').Split('"')[1]
            foreach ($file in @($exe, [IO.Path]::Combine([IO.Path]::GetDirectoryName($exe), 'rport.example.conf'))) { [IO.File]::Delete($file) }
            foreach ($name in @('service', 'service.status', 'product')) { Set-State $name $null }
        } else {
            throw ('msiexec would not understand: ' + $ArgumentList)
        }
    }
    [pscustomobject]@{ ExitCode = $code }
}

function Get-AuthenticodeSignature {
    [CmdletBinding()]
    param([string]$FilePath)
    [pscustomobject]@{ Status = $World.Signature; SignerCertificate = [pscustomobject]@{ Subject = 'CN=Test' } }
}

function Get-CimInstance {
    [CmdletBinding()]
    param([string]$ClassName, [string]$Filter)
    if ($ClassName -eq 'Win32_ComputerSystemProduct') {
        if ($World.Uuid -eq 'throw') { throw 'Invalid class' }
        return [pscustomobject]@{ UUID = $World.Uuid }
    }
    if ($ClassName -eq 'Win32_OperatingSystem') { return [pscustomobject]@{ BuildNumber = $World.Build } }
    if ($ClassName -eq 'Win32_Process') {
        # powershell.exe, then what started it; 'rport.exe' as parent: a command of the client.
        if ($Filter -eq ('ProcessId = ' + $PID)) {
            return [pscustomobject]@{ Name = 'powershell.exe'; ParentProcessId = 2000; CreationDate = [DateTime]'2026-01-01T12:00:00' }
        }
        if ($Filter -eq 'ProcessId = 2000' -and $World.Parent) {
            $born = [DateTime]'2026-01-01T11:00:00'
            if ($World.ParentIsYounger) { $born = [DateTime]'2026-01-01T13:00:00' }
            return [pscustomobject]@{ Name = $World.Parent; ParentProcessId = 0; CreationDate = $born }
        }
        return
    }
    throw ('unexpected class ' + $ClassName)
}

function Invoke-CimMethod {
    [CmdletBinding()]
    param([string]$ClassName, [string]$MethodName, $Arguments)
    Add-Record ('Invoke-CimMethod ' + $ClassName + ' ' + $MethodName + ' ' + $Arguments.CommandLine)
    [pscustomobject]@{ ReturnValue = 0 }
}

function New-ScheduledTaskAction($Execute, $Argument) {
    [pscustomobject]@{ Execute = $Execute; Argument = $Argument }
}

function New-ScheduledTaskTrigger([switch]$Once, [DateTime]$At) {
    [pscustomobject]@{ EndBoundary = '' }
}

function New-ScheduledTaskSettingsSet([switch]$AllowStartIfOnBatteries, [switch]$DontStopIfGoingOnBatteries, [switch]$StartWhenAvailable, [TimeSpan]$DeleteExpiredTaskAfter) {
    [pscustomobject]@{}
}

function Register-ScheduledTask($TaskName, $Action, $Trigger, $Settings, $User, $RunLevel) {
    if (-not $Trigger.EndBoundary) { throw 'a task that deletes itself needs an end boundary' }
    Add-Record ('Register-ScheduledTask ' + $User + ' ' + $Action.Execute + ' ' + $Action.Argument)
}

function Get-NetAdapter([switch]$Physical) {
    foreach ($card in @($World.Cards)) {
        if ($card) {
            [pscustomobject]@{ Name = $card.Name; ifIndex = $card.Index; Status = $card.Status; ReceiveLinkSpeed = [uint64]$card.Speed }
        }
    }
}

function Get-NetIPAddress {
    [CmdletBinding()]
    param($InterfaceIndex, $AddressFamily)
    foreach ($card in @($World.Cards)) {
        if ($card.Index -eq $InterfaceIndex) { [pscustomobject]@{ IPAddress = $card.Address } }
    }
}

function icacls.exe {
    Add-Record ('icacls.exe ' + ($args -join ' '))
    $global:LASTEXITCODE = [int]$World.IcaclsCode
    if ($global:LASTEXITCODE) { 'Access is denied.' }
}

function sc.exe {
    Add-Record ('sc.exe ' + ($args -join ' '))
    $global:LASTEXITCODE = 0
    if ($args[0] -eq 'delete') {
        if ($World.DeleteFails) {
            $global:LASTEXITCODE = 1072
            return 'The specified service has been marked for deletion.'
        }
        # As Windows does while another program has the service open: it stays, with the value DeleteFlag in its key.
        if ($World.HeldOpen) {
            $World.Marked = $true
            return '[SC] DeleteService SUCCESS'
        }
        Set-State 'service' $null
        Set-State 'service.status' $null
    }
}
