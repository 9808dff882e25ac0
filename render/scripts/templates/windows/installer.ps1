# SPDX-License-Identifier: MIT

<#
.SYNOPSIS
    Installs the RPort client on Windows and connects it to the RPort server.

.DESCRIPTION
    Downloads and checks the package of the RPort client, installs it, writes
    its configuration, registers the service rport (delayed automatic start,
    restart after failures), starts it, and waits until the log of the client
    says that it is connected.

    The script holds the credentials of one pairing. Run it as administrator
    and delete it afterwards. The configuration is C:\Program
    Files\rport\rport.conf; only administrators and the service can read it.
    The client runs with the local system account.

    Where the client is installed already, the script repairs it and pairs it
    anew: server, fingerprint and credentials are replaced, the id of the
    client and all other settings stay, and the previous configuration is kept
    beside the new one. Run by the client itself (as a command sent to it), the
    script changes the configuration only and restarts the service some seconds
    after it has ended.

    Exit codes: 0 connected (with -d: configuration written; run by the client
    itself: restart scheduled); 1 wrong usage or environment, or the
    installation failed; 2 the server cannot be reached, nothing was changed; 3
    download or check of a download failed; 4 installed but not connected, the
    reason and the last lines of the log are printed.

    For -pkgUrl, the environment variables RPORT_INSTALLER_DL_USERNAME and
    RPORT_INSTALLER_DL_PASSWORD are used for HTTP basic authentication.

.PARAMETER x
    Enables the execution of all commands and scripts that the server sends,
    without a filter. Without it a new installation executes none.

.PARAMETER t
    Installs the newest unstable version. Not for production.

.PARAMETER i
    Also installs Tacoscript.

.PARAMETER r
    Enables file reception: the server may write files to this machine. Without
    it a new installation receives none.

.PARAMETER g
    A tag for this client. Several are separated by commas.

.PARAMETER d
    Only writes the configuration: no package is installed, no service is
    registered or started.

.PARAMETER pkgUrl
    Installs the package (MSI or zip) from this http or https address.

.PARAMETER Version
    Installs exactly this version, for example 0.9.14.

.PARAMETER Log
    Also writes all messages to this file.

.PARAMETER DeleteScript
    After success, deletes this script, which holds the credentials, and the
    folder below the temporary one that the pairing command made for it.

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
    powershell -ExecutionPolicy Bypass -File .\rport-installer.ps1 -x

    Installs and connects the client, with execution of commands and scripts.

.EXAMPLE
    powershell -ExecutionPolicy Bypass -File .\rport-installer.ps1 -r -g office

    Installs and connects the client with file reception and a tag.

.LINK
    https://oss.openrport.io/get-started/connecting-clients/

.LINK
    https://github.com/openrport/openrport
#>

#Requires -Version 4.0
#Requires -RunAsAdministrator
[CmdletBinding(PositionalBinding = $false)]
param(
    [Alias('EnableCommands')]
    [switch]$x,
    [switch]$t,
    [switch]$i,
    [switch]$r,
    [string[]]$g,
    [switch]$d,
    [string]$pkgUrl,
    [string]$Version,
    [string]$Log,
    [Alias('wi')]
    [switch]$WhatIf,
    [switch]$DeleteScript,
    [switch]$h
)
# values: begin
# made {{made_at}}, valid until {{valid_until}}
$Fingerprint = {{fingerprint}}
$ConnectUrl = {{connect_url}}
$ClientId = {{client_id}}
$Password = {{password}}
# values: end
$ScriptPath = $PSCommandPath
$ScriptParameters = $PSBoundParameters

{{> lib/common.ps1}}
{{> lib/config.ps1}}
{{> lib/package.ps1}}
{{> lib/client.ps1}}
{{> lib/service.ps1}}

# ---- installer ----

# -g a,b and -g 'a','b' alike.
function Get-Tag {
    foreach ($text in @($g)) {
        foreach ($tag in ([string]$text).Split(',')) {
            $tag = $tag.Trim()
            if ($tag -match '[\x00-\x1f\x7f]') {
                Stop-WithError 1 'A tag must not hold control characters.' 'Check -g.'
            }
            if ($tag) { $tag }
        }
    }
}

# Whether many machines have this UUID, because their makers left it as it came: one byte repeated, or one of these. Some
# firmware writes the first three groups in the other byte order.
function Test-SharedUuid([guid]$Uuid) {
    $plain = $Uuid.ToString('N')
    if ($plain -match '\A(..)\1{15}\z') { return $true }
    $known = @(
        '03000200040005000006000700080009', '123456781234567890abcddeefaabbcc', '030201000504070608090a0b0c0d0e0f',
        '00112233445566778899aabbccddeeff', '4c4c454400002010802080c04f202020')
    $swapped = [BitConverter]::ToString($Uuid.ToByteArray()).Replace('-', '').ToLowerInvariant()
    ($known -contains $plain) -or ($known -contains $swapped)
}

# The UUID of the system, or a random one where the firmware has none or one that many machines share.
function Get-SystemUuid {
    $uuid = ''
    try {
        $uuid = [string](Get-CimInstance -ClassName Win32_ComputerSystemProduct).UUID
    } catch {
        Write-Note ('The UUID of the system could not be read: ' + $_.Exception.Message)
    }
    $parsed = [guid]::Empty
    if (-not [guid]::TryParse($uuid, [ref]$parsed) -or (Test-SharedUuid $parsed)) {
        Write-Note 'The system has no UUID of its own, a random one is used.'
        return [guid]::NewGuid().ToString()
    }
    return $uuid.Trim()
}

# JSON of strings, numbers, booleans, lists and objects: what an attributes file may hold.
function ConvertTo-AttributeJson($Value) {
    if ($null -eq $Value) { return 'null' }
    if ($Value -is [bool]) { return ([string]$Value).ToLowerInvariant() }
    if ($Value -is [DateTime]) { return (ConvertTo-TomlString $Value.ToString('o')) }
    if ($Value -is [ValueType]) { return [string]::Format([Globalization.CultureInfo]::InvariantCulture, '{0}', $Value) }
    if ($Value -is [string]) { return (ConvertTo-TomlString $Value) }
    if ($Value -is [Collections.IDictionary]) {
        return '{' + (@($Value.Keys | ForEach-Object { (ConvertTo-TomlString $_) + ': ' + (ConvertTo-AttributeJson $Value[$_]) }) -join ', ') + '}'
    }
    if ($Value -is [Collections.IEnumerable]) {
        return '[' + (@($Value | ForEach-Object { ConvertTo-AttributeJson $_ }) -join ', ') + ']'
    }
    return '{' + (@($Value.PSObject.Properties | ForEach-Object { (ConvertTo-TomlString $_.Name) + ': ' + (ConvertTo-AttributeJson $_.Value) }) -join ', ') + '}'
}

# The attributes file of the client and what it holds: Path, Tags, Labels.
function Read-Attribute($Config, $Client) {
    $path = Get-ConfigString $Config 'client' 'attributes_file_path'
    $labels = @{}
    $all = @()
    if (-not $path) {
        $path = [IO.Path]::Combine($Client.Folder, 'client_attributes.json')
        $inline = Get-ConfigRaw $Config 'client' 'tags'
        if ($inline) {
            $all += @(ConvertFrom-TomlStrings $inline)
        }
    }
    if ([IO.File]::Exists($path)) {
        try {
            $old = ConvertFrom-Json ([IO.File]::ReadAllText($path))
            foreach ($property in $old.PSObject.Properties) {
                if ($property.Name -eq 'tags') { $all += @($property.Value) }
                if ($property.Name -eq 'labels' -and $property.Value) { $labels = $property.Value }
            }
        } catch {
            Stop-WithError 1 ('The tags cannot be added: ' + $path + ' is no JSON file.') 'Add them to that file by hand and run the script without -g.'
        }
    }
    [pscustomobject]@{ Path = $path; Tags = $all; Labels = $labels }
}

# Adds tags to the attributes file and names that file in the configuration. Tags and labels that were there stay.
function Set-ClientTag($Config, $Client, [string[]]$Tags) {
    $attributes = Read-Attribute $Config $Client
    $all = @($attributes.Tags)
    foreach ($tag in $Tags) {
        if ($all -cnotcontains $tag) { $all += $tag }
    }
    $null = [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($attributes.Path))
    $json = '{"tags": ' + (ConvertTo-AttributeJson $all) + ', "labels": ' + (ConvertTo-AttributeJson $attributes.Labels) + '}'
    [IO.File]::WriteAllText($attributes.Path, $json + "`n")
    Set-ConfigValue $Config 'client' 'attributes_file_path' (ConvertTo-TomlString $attributes.Path)
}

# The configuration to edit: the existing one, else the example of the package. Config, Fresh, Id.
function Open-ClientConfig($Client, [switch]$Quiet) {
    $id = ''
    if ([IO.File]::Exists($Client.ConfigPath)) {
        $config = Read-Config $Client.ConfigPath
        try {
            Assert-Config $config
            return [pscustomobject]@{ Config = $config; Fresh = $false; Id = '' }
        } catch {
            if (-not $Quiet) { Write-Note ('The existing configuration is not valid and is written anew (' + $_.Exception.Message + ').') }
            foreach ($line in $config.Lines) {
                if ($line -match '^\s*id\s*=\s*["'']([0-9A-Za-z_.-]+)["'']') { $id = $Matches[1] }
            }
        }
    }
    $example = [IO.Path]::Combine($Client.Folder, 'rport.example.conf')
    $config = New-DefaultConfig
    if ([IO.File]::Exists($example)) {
        $config = Read-Config $example
    }
    [pscustomobject]@{ Config = $config; Fresh = $true; Id = $id }
}

# All settings of this pairing. A setting that is there already and is not asked for stays.
function Set-ClientConfig($Config, [bool]$Fresh, [string]$Id, $Client, [string]$Proxy) {
    Set-ConfigValue $Config 'client' 'server' (ConvertTo-TomlString $ConnectUrl)
    Set-ConfigValue $Config 'client' 'fingerprint' (ConvertTo-TomlString $Fingerprint)
    Set-ConfigValue $Config 'client' 'auth' (ConvertTo-TomlString ($ClientId + ':' + $Password))
    $known = (-not $Fresh) -and ((Get-ConfigString $Config 'client' 'id') -or (Get-ConfigRaw $Config 'client' 'use_system_id') -match '\Atrue\b')
    if (-not $known) {
        if (-not $Id) { $Id = Get-SystemUuid }
        Set-ConfigValue $Config 'client' 'use_system_id' 'false'
        Set-ConfigValue $Config 'client' 'id' (ConvertTo-TomlString $Id)
    }
    if ($Fresh -or -not ((Get-ConfigRaw $Config 'client' 'use_hostname') -or (Get-ConfigString $Config 'client' 'name'))) {
        Set-ConfigValue $Config 'client' 'use_hostname' 'true'
    }
    if ($Fresh) {
        Set-ConfigValue $Config 'client' 'data_dir' (ConvertTo-TomlString ([IO.Path]::Combine($Client.Folder, 'data')))
        if (-not $x) { Disable-Execution $Config }
        if (-not $r) { Set-ConfigValue $Config 'file-reception' 'enabled' 'false' }
    }
    if ($Fresh -or -not (Get-ConfigString $Config 'logging' 'log_file')) {
        Set-ConfigValue $Config 'logging' 'log_file' (ConvertTo-TomlString ([IO.Path]::Combine($Client.Folder, 'rport.log')))
    }
    if ((Get-ConfigString $Config 'logging' 'log_level') -eq 'error') {
        Write-Note 'The log level is set from error to info: the connection shows in the log only at that level.'
        Set-ConfigValue $Config 'logging' 'log_level' '"info"'
    }
    if ($Proxy -and -not (Get-ConfigString $Config 'client' 'proxy')) {
        Write-Note ('The server is reachable through the proxy of the system only, the client will use it: ' + (Get-PrintableUrl $Proxy))
        Set-ConfigValue $Config 'client' 'proxy' (ConvertTo-TomlString $Proxy)
    }
    if ($x) { Enable-Execution $Config }
    if ($r) { Set-ConfigValue $Config 'file-reception' 'enabled' 'true' }
    Add-InterpreterAlias $Config
    Add-NetworkCard $Config
}

# The version to install, '' when what is installed shall stay.
function Select-Version([string]$Installed) {
    $target = $StableVersion
    if ($t) { $target = $UnstableVersion }
    if ($Version) { $target = $Version }
    if ($Installed -and -not $pkgUrl) {
        $order = Compare-Version $Installed $target
        if ($order -eq 0) { return '' }
        if ($order -gt 0 -and -not $Version) {
            Write-Note ('Version ' + $Installed + ' is installed and newer than ' + $target + ': it stays.')
            return ''
        }
    }
    return $target
}

# -i. The client works without it, but the exit code tells when it failed.
function Add-Tacoscript {
    if ($i -and (Test-Go 'Install Tacoscript')) {
        $channel = 'stable'
        if ($t) { $channel = 'unstable' }
        try {
            Install-Tacoscript $channel
        } catch {
            $script:Failure = $null
            Write-Problem ('! Tacoscript was not installed: ' + $_.Exception.Message)
            if ($script:ExitCode -eq 0) { $script:ExitCode = 3 }
        }
    }
}

# -DeleteScript: removes this script, and its folder when the pairing command made that. Every failure is a note only: the
# client is connected.
function Remove-Script {
    $path = $script:ScriptPath
    if (-not $path -or -not (Test-Go ('Delete this script: ' + $path))) { return }
    try {
        [IO.File]::Delete($path)
        $folder = [IO.Path]::GetDirectoryName($path)
        $temporary = [IO.Path]::GetTempPath().TrimEnd([IO.Path]::DirectorySeparatorChar)
        if ([IO.Path]::GetDirectoryName($folder) -ne $temporary -or [IO.Directory]::GetFileSystemEntries($folder).Length -gt 0) { return }
        # Windows does not delete the folder that a process works in.
        [IO.Directory]::SetCurrentDirectory($temporary)
        [IO.Directory]::Delete($folder)
    } catch {
        Write-Note ('Not all could be deleted, please do it by hand: ' + $path + ' (' + $_.Exception.Message + ')')
    }
}

# The whole installation: what can fail fails before anything is changed.
function Install-Client {
    if ($h) {
        Show-Help
        $script:ExitCode = 0
        return
    }
    if (-not (Assert-Platform)) {
        Invoke-In64Bit $ScriptParameters
        return
    }
    $quoted = ConvertTo-TomlString $Password
    $script:Secrets = @($Password, $quoted.Substring(1, $quoted.Length - 2))
    Assert-Version $Version
    Assert-ServiceNotMarked
    $tags = @(Get-Tag)
    Enable-Tls12
    $client = Get-Client
    $inside = (Test-InsideClient)
    $proxy = Test-Server $ConnectUrl
    Write-Step ('The server answers at ' + $ConnectUrl)
    $target = ''
    if ($d -and ($t -or $i -or $Version -or $pkgUrl)) {
        Write-Note 'With -d the options -t, -i, -Version and -pkgUrl have no effect.'
    }
    if ($d -or $inside) {
        if ($inside -and ($t -or $Version -or $pkgUrl)) {
            Stop-WithError 1 'Run by the client itself, this script cannot replace the client.' ('Use the update script: ' + $PairingUrl + '/update')
        }
    } else {
        $target = Select-Version $client.Version
        if ($client.Version) {
            Write-Note ('The client is installed already (version ' + $client.Version + '), it is repaired and paired anew.')
        }
    }
    if ($tags.Count -gt 0) {
        # What cannot be done shall fail before anything is changed.
        $null = Read-Attribute (Open-ClientConfig $client -Quiet).Config $client
    }
    $package = $null
    if ($target) {
        $what = 'the client, version ' + $target
        if ($pkgUrl) { $what = (Get-PrintableUrl $pkgUrl) }
        if (Test-Go ('Download and check ' + $what)) {
            $package = Get-ClientPackage $target ''
        }
    }
    if (-not $d -and -not $inside -and (Get-ClientService) -and (Test-Go 'Stop the service rport')) {
        Stop-Client $client
    }
    if ($target -and (Test-Go ('Install the package to ' + $client.Folder))) {
        $checked = $target
        if ($pkgUrl) { $checked = '' }
        Install-ClientPackage $package $client $checked
        $client.Version = Get-InstalledVersion $client.Exe
        if (-not $client.Version) {
            Stop-WithError 1 ('The package was installed, but ' + $client.Exe + ' does not run.') 'A virus scanner may have removed it.'
        }
        Write-Step ('Version ' + $client.Version + ' is installed.')
        if (-not $pkgUrl -and (Compare-Version $client.Version $target) -ne 0) {
            Write-Note ('CAUTION: version ' + $target + ' was expected.')
        }
    }
    $clientLog = ''
    if (Test-Go ('Write the configuration ' + $client.ConfigPath)) {
        $opened = Open-ClientConfig $client
        Set-ClientConfig $opened.Config $opened.Fresh $opened.Id $client $proxy
        if ($tags.Count -gt 0) {
            Set-ClientTag $opened.Config $client $tags
        }
        $data = Get-ConfigString $opened.Config 'client' 'data_dir'
        if ($data) { $null = [IO.Directory]::CreateDirectory($data) }
        Save-Config $opened.Config $client.ConfigPath $client.Account
        $clientLog = Get-ConfigString $opened.Config 'logging' 'log_file'
    }
    if ($d) {
        Write-Step ('No service was registered or started (-d).')
        $script:ExitCode = 0
        if ($DeleteScript) { Remove-Script }
        return
    }
    if ($inside) {
        if (Test-Go 'Restart the service some seconds after this script has ended') {
            Start-Detached '-Command "Start-Sleep -Seconds 10; Restart-Service -Name rport -Force"'
        }
        $script:ExitCode = 0
        Add-Tacoscript
        return
    }
    if (Test-Go 'Register the service rport: delayed automatic start, restart after failures') {
        Register-Client $client
    }
    $result = $null
    if (Test-Go 'Start the service and wait up to a minute for the connection') {
        $result = Start-Client $client $clientLog 60
    }
    $script:ExitCode = 0
    if ($result -and $result.Connected) {
        Write-Step ('The client is connected to ' + $ConnectUrl)
        if ($DeleteScript) {
            Remove-Script
        } elseif ($script:ScriptPath) {
            Write-Note ('This script holds the credentials, delete it (-DeleteScript does that): ' + $script:ScriptPath)
        }
    } elseif ($result) {
        $script:ExitCode = 4
        if ($result.Verdict -eq 'refused') {
            # It would try again and again, and lock out everybody who comes from this address.
            Stop-Service -Name 'rport' -Force -ErrorAction SilentlyContinue
        }
        Write-Problem ('! The client is installed but not connected. ' + $result.Reason)
        Write-Problem ('  Configuration: ' + $client.ConfigPath + "`n  Log: " + $clientLog)
        foreach ($line in $result.Lines) {
            Write-Problem ('  | ' + $line)
        }
    }
    Add-Tacoscript
}

Invoke-Main 'Install-Client'
exit $script:ExitCode
