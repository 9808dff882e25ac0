# SPDX-License-Identifier: MIT

<#
.SYNOPSIS
    Updates the RPort client on Windows.

.DESCRIPTION
    Downloads and checks a newer package of the RPort client and installs it
    the way the client was installed (MSI or zip). The configuration stays as
    it is; only tables that it lacks are added, and what the options ask for is
    changed. When the new version does not connect to the server, the old
    program and configuration are put back. Tacoscript is installed or updated
    as well, unless -m is given; a failure of that is reported and changes
    nothing else.

    The script holds no credentials. Run it as administrator. Run by the client
    itself (as a command sent to it), it checks the package, then hands over to
    a scheduled task, which writes its messages to C:\Program
    Files\rport\rport-update.log.

    Exit codes: 0 the client is up to date and, if anything was changed,
    connected (where its log does not show connections: running; run by the
    client itself: the update is scheduled); 1 wrong usage or environment, or
    the installation failed; 2 the server cannot be reached, nothing was
    changed; 3 download or check of a download failed, nothing was changed; 4
    the new version did not connect, the old one was put back; 5 the installed
    version is newer and was left alone, -f installs all the same (with -x, -d
    or -r the settings are changed and the code is 0).

    For -pkgUrl, the environment variables RPORT_INSTALLER_DL_USERNAME and
    RPORT_INSTALLER_DL_PASSWORD are used for HTTP basic authentication.

.PARAMETER t
    Updates to the newest unstable version. Not for production.

.PARAMETER x
    Enables the execution of all commands and scripts that the server sends,
    without a filter.

.PARAMETER d
    Disables the execution of commands and scripts.

.PARAMETER m
    Leaves Tacoscript alone: it is neither installed nor updated.

.PARAMETER f
    Installs without comparing versions.

.PARAMETER v
    Updates to exactly this version, for example 0.9.14.

.PARAMETER r
    Enables file reception: the server may write files to this machine.

.PARAMETER pkgUrl
    Installs the package (MSI or zip) from this http or https address.

.PARAMETER Log
    Also writes all messages to this file.

.PARAMETER WhatIf
    Prints what would be done and changes nothing.

.PARAMETER h
    Prints this help.

.NOTES
    Made by pairport {{pairport_version}} for the pairing service
    {{pairing_url}}

.INPUTS
    None. You cannot pipe objects to this script.

.OUTPUTS
    None. Messages go to the console, problems to the standard error output.

.EXAMPLE
    powershell -ExecutionPolicy Bypass -File .\rport-update.ps1

    Updates to the newest stable version.

.EXAMPLE
    powershell -ExecutionPolicy Bypass -File .\rport-update.ps1 -v 0.9.14 -m

    Updates to version 0.9.14 and leaves Tacoscript alone.

.LINK
    https://oss.openrport.io/get-started/connecting-clients/

.LINK
    https://github.com/openrport/openrport
#>

#Requires -Version 4.0
#Requires -RunAsAdministrator
[CmdletBinding(PositionalBinding = $false)]
param(
    [switch]$t,
    [switch]$x,
    [switch]$d,
    [switch]$m,
    [switch]$f,
    [Alias('Version')]
    [string]$v,
    [switch]$r,
    [string]$pkgUrl,
    [string]$Log,
    [Alias('wi')]
    [switch]$WhatIf,
    [switch]$h
)
$ScriptPath = $PSCommandPath
$ScriptParameters = $PSBoundParameters

{{> lib/common.ps1}}
{{> lib/config.ps1}}
{{> lib/package.ps1}}
{{> lib/client.ps1}}
{{> lib/service.ps1}}

# ---- update ----

# The version to update to, '' when the installed one is right.
function Select-Update([string]$Installed) {
    $target = $StableVersion
    if ($t) { $target = $UnstableVersion }
    if ($v) { $target = $v }
    if (-not $Installed -or $f -or $pkgUrl) { return $target }
    $order = Compare-Version $Installed $target
    if ($order -gt 0) {
        if ($x -or $d -or $r) {
            Write-Note ('Version ' + $Installed + ' is installed and newer than ' + $target + ': it stays, the settings are changed.')
            return ''
        }
        Stop-WithError 5 ('Version ' + $Installed + ' is installed and newer than ' + $target + '. It was left alone.') 'Use -f to install the older version all the same.'
    }
    if ($order -lt 0) { return $target }
    return ''
}

# What the options ask for, and the tables that an old configuration lacks.
function Update-Config($Config) {
    if ($x) { Enable-Execution $Config }
    if ($d) { Disable-Execution $Config }
    if ($r) {
        Set-ConfigValue $Config 'file-reception' 'enabled' 'true'
    } elseif (-not (Test-ConfigTable $Config 'file-reception')) {
        Set-ConfigValue $Config 'file-reception' 'enabled' 'false'
    }
    if (-not (Test-ConfigTable $Config 'monitoring')) {
        Set-ConfigValue $Config 'monitoring' 'enabled' 'true'
        Add-NetworkCard $Config
    }
    if (-not (Test-ConfigTable $Config 'interpreter-aliases')) {
        Add-InterpreterAlias $Config
    }
}

# Hands over to a task outside of the client, which would take this script down with it.
function Start-DetachedUpdate($Client) {
    if (-not $script:ScriptPath) {
        Stop-WithError 1 'The script was not started from a file.' 'Save it as rport-update.ps1 and run that with powershell -File.'
    }
    $folder = [IO.Path]::Combine($Client.Folder, 'update')
    $copy = [IO.Path]::Combine($folder, 'rport-update.ps1')
    $null = [IO.Directory]::CreateDirectory($folder)
    if ($copy -ne $script:ScriptPath) {
        [IO.File]::Copy($script:ScriptPath, $copy, $true)
    }
    $line = '-File "' + $copy + '"'
    foreach ($argument in @(ConvertTo-ArgumentList $ScriptParameters)) {
        if ($argument -match '"|\\\z') {
            Stop-WithError 1 'An argument has a quote in it or ends in a backslash, the task cannot take it over.' 'Check the arguments.'
        }
        $line += ' "' + $argument + '"'
    }
    if (-not $Log) {
        $Log = [IO.Path]::Combine($Client.Folder, 'rport-update.log')
        $line += ' "-Log" "' + $Log + '"'
    }
    Start-Detached $line
    Write-Step ('The update starts in some seconds. Its messages will be in ' + $Log)
}

# Puts the old program and the old configuration back and starts them.
function Restore-Client($Client, [string]$Backup, $OldConfig, [string]$ClientLog) {
    Write-Note 'Putting the old version back.'
    Stop-Client $Client
    if ($Backup) {
        $null = [IO.Directory]::CreateDirectory($Client.Folder)
        [IO.File]::Copy($Backup, $Client.Exe, $true)
    }
    if (-not [IO.File]::Exists($Client.ConfigPath) -or (Get-ConfigText (Read-Config $Client.ConfigPath)) -cne (Get-ConfigText $OldConfig)) {
        Save-Config $OldConfig $Client.ConfigPath $Client.Account
    }
    Register-Client $Client
    $result = Start-Client $Client $ClientLog 60 -Blind:$script:Blind
    if ($result.Connected) {
        Write-Step 'The old version is connected again.'
    } else {
        Write-Problem ('! The old version does not connect either. ' + $result.Reason)
    }
}

# The whole update: what can fail fails before anything is changed.
function Update-Client {
    if ($h) {
        Show-Help
        $script:ExitCode = 0
        return
    }
    if (-not (Assert-Platform)) {
        Invoke-In64Bit $ScriptParameters
        return
    }
    Assert-ServiceNotMarked
    if ($x -and $d) {
        Stop-WithError 1 '-x and -d exclude each other.' 'Give one of them.'
    }
    if ($pkgUrl -and $pkgUrl -notmatch '\Ahttps?://[^\s"'']+\z') {
        Stop-WithError 1 'The address of the package is no http or https URL.' 'Check -pkgUrl.'
    }
    Assert-Version $v
    Enable-Tls12
    $client = Get-Client
    if (-not [IO.File]::Exists($client.ConfigPath)) {
        Stop-WithError 1 'The RPort client is not installed on this machine.' 'Pair it: create a pairing code in the web interface of your RPort server and run the installer.'
    }
    $config = Read-Config $client.ConfigPath
    $oldConfig = Read-Config $client.ConfigPath
    try {
        Assert-Config $config
    } catch {
        Stop-WithError 1 ('The configuration is not valid: ' + $_.Exception.Message) ('Correct ' + $client.ConfigPath + ', or pair the client anew with the installer.')
    }
    foreach ($secret in @(ConvertFrom-TomlStrings (Get-ConfigRaw $config 'client' 'auth'))) {
        $script:Secrets += $secret.Substring($secret.IndexOf(':') + 1)
    }
    $target = Select-Update $client.Version
    Update-Config $config
    $changed = (Get-ConfigText $config) -cne (Get-ConfigText $oldConfig)
    if ($target -or $changed) {
        if (Get-ConfigString $config 'client' 'proxy') {
            Write-Note 'The client uses a proxy of its own: the connection is not tested beforehand.'
        } else {
            $null = Test-Server (Get-ConfigString $config 'client' 'server')
        }
        Update-Installation $client $config $oldConfig $target $changed
        if ($script:ExitCode -ne 0 -or $script:Detached) { return }
    } else {
        Write-Step ('Version ' + $client.Version + ' is installed, there is nothing to update.')
        $script:ExitCode = 0
    }
    if (-not $m -and (Test-Go 'Install or update Tacoscript')) {
        $channel = 'stable'
        if ($t) { $channel = 'unstable' }
        try {
            Install-Tacoscript $channel
        } catch {
            $script:Failure = $null
            Write-Problem ('! Tacoscript was not updated: ' + $_.Exception.Message)
        }
    }
}

$script:Detached = $false
$script:Blind = $false

# Replaces the program, starts it, and puts the old one back when the new one does not connect.
function Update-Installation($Client, $Config, $OldConfig, [string]$Target, [bool]$Changed) {
    $package = $null
    if ($Target) {
        $wanted = 'zip'
        if ($Client.Product) { $wanted = 'msi' }
        $what = 'version ' + $Target
        if ($pkgUrl) { $what = (Get-PrintableUrl $pkgUrl) }
        if ($Client.Version) { Write-Note ('Version ' + $Client.Version + ' is installed.') }
        if (Test-Go ('Download and check ' + $what)) {
            $package = Get-ClientPackage $Target $wanted
        }
    }
    if (Test-InsideClient) {
        if ($pkgUrl -and $env:RPORT_INSTALLER_DL_USERNAME) {
            Stop-WithError 1 'Run by the client itself, the script cannot hand the user name and password of the download to its task.' 'Give an address that needs none.'
        }
        if (Test-Go 'Hand over to a task outside of the client') {
            Start-DetachedUpdate $Client
        }
        $script:Detached = $true
        $script:ExitCode = 0
        return
    }
    if ($WhatIf) {
        foreach ($action in @('Stop the service rport', 'Install the package and change the configuration', 'Start the service and wait up to a minute for the connection')) {
            $null = Test-Go $action
        }
        $script:ExitCode = 0
        return
    }
    $backup = ''
    if ($package -and [IO.File]::Exists($Client.Exe)) {
        $backup = [IO.Path]::Combine((Get-WorkFolder), 'rport.exe.old')
        [IO.File]::Copy($Client.Exe, $backup, $true)
    }
    $clientLog = Get-ConfigString $Config 'logging' 'log_file'
    $script:Blind = (-not $clientLog) -or (Get-ConfigString $Config 'logging' 'log_level') -eq 'error'
    $result = $null
    try {
        Write-Step 'Stop the service rport'
        Stop-Client $Client
        if ($package) {
            Write-Step 'Install the package'
            $checked = $Target
            if ($pkgUrl) { $checked = '' }
            Install-ClientPackage $package $Client $checked
            $new = Get-InstalledVersion $Client.Exe
            if (-not $new) {
                Stop-WithError 1 'The new version does not run.' 'A virus scanner may have removed it.'
            }
            Write-Step ('Version ' + $new + ' is installed.')
        }
        if ($Changed) {
            Write-Step ('Write the configuration ' + $Client.ConfigPath)
            Save-Config $Config $Client.ConfigPath $Client.Account
        }
        Write-Step 'Start the service and wait up to a minute for the connection'
        Register-Client $Client
        $result = Start-Client $Client $clientLog 60 -Blind:$script:Blind
    } catch {
        $cause = $script:Failure
        $text = $_.Exception.Message
        Restore-Client $Client $backup $OldConfig $clientLog
        if ($cause) { Stop-WithError $cause.Code $cause.Message $cause.Remedy }
        throw $text
    }
    if ($result.Connected) {
        if ($script:Blind) {
            Write-Note 'The client is running. Its log does not show connections (no log_file, or log_level error): look on the server whether it is connected.'
        } else {
            Write-Step 'The client is connected.'
        }
        $script:ExitCode = 0
        return
    }
    Write-Problem ('! The client does not connect after the update. ' + $result.Reason)
    foreach ($line in $result.Lines) {
        Write-Problem ('  | ' + $line)
    }
    Restore-Client $Client $backup $OldConfig $clientLog
    $script:ExitCode = 4
}

Invoke-Main 'Update-Client'
exit $script:ExitCode
