# SPDX-License-Identifier: MIT

<#
.SYNOPSIS
    Removes the RPort client from Windows.

.DESCRIPTION
    Stops and removes the service rport, removes the MSI package or the files
    of the client, its configuration, its logs and its data. Tacoscript stays.
    The client stays known to the RPort server: delete it there as well.

    Run it as administrator. Run by the client itself (as a command sent to
    it), the script hands over to a scheduled task, which removes the client
    some seconds later.

    Exit codes: 0 the client is removed, or was not installed (run by the
    client itself: the removal is scheduled); 1 wrong usage or environment, or
    something could not be removed.

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
    powershell -ExecutionPolicy Bypass -File .\rport-uninstall.ps1

    Removes the client.

.EXAMPLE
    powershell -ExecutionPolicy Bypass -File .\rport-uninstall.ps1 -WhatIf

    Prints what would be removed.

.LINK
    https://oss.openrport.io/get-started/connecting-clients/

.LINK
    https://github.com/openrport/openrport
#>

#Requires -Version 4.0
#Requires -RunAsAdministrator
[CmdletBinding(PositionalBinding = $false)]
param(
    [string]$Log,
    [Alias('wi')]
    [switch]$WhatIf,
    [switch]$h
)
$ScriptPath = $PSCommandPath
$ScriptParameters = $PSBoundParameters

{{> lib/common.ps1}}
{{> lib/client.ps1}}

# ---- uninstall ----

# Files that the client, its packages and these scripts make. Used where the folder is not the client's alone.
function Remove-KnownFile([string]$Folder) {
    foreach ($pattern in @('rport.exe', 'rport.exe.*', 'rport.conf', 'rport.conf.*', 'rport.example.conf', 'rport.log', 'rport*.log', 'rport*.log.gz', 'client_attributes.*', 'state.json', 'uninstall.bat')) {
        foreach ($file in [IO.Directory]::GetFiles($Folder, $pattern)) {
            [IO.File]::Delete($file)
        }
    }
}

# Removes the folder of the client with all that is in it.
function Remove-ClientFolder([string]$Folder) {
    if (-not [IO.Directory]::Exists($Folder)) {
        return
    }
    for ($try = 1; $try -le 5; $try++) {
        try {
            if ([IO.Path]::GetFileName($Folder) -eq 'rport' -and [IO.Path]::GetDirectoryName($Folder)) {
                [IO.Directory]::Delete($Folder, $true)
            } else {
                Remove-KnownFile $Folder
                Write-Note ($Folder + ' is not a folder of the client alone: only the files of the client were removed.')
            }
            return
        } catch {
            if ($try -eq 5) {
                Stop-WithError 1 ('Not everything in ' + $Folder + ' could be removed: ' + $_.Exception.Message) 'Close programs that use these files and run the script again.'
            }
            Start-Sleep -Seconds 2
        }
    }
}

# Hands over to a task outside of the client, which runs this script.
function Start-DetachedUninstall {
    if (-not $script:ScriptPath) {
        Stop-WithError 1 'The script was not started from a file.' 'Save it as rport-uninstall.ps1 and run that with powershell -File.'
    }
    $copy = [IO.Path]::Combine((Get-WorkFolder), 'rport-uninstall.ps1')
    [IO.File]::Copy($script:ScriptPath, $copy, $true)
    $folder = $script:WorkFolder.Replace("'", "''")
    $call = '& ''' + $copy.Replace("'", "''") + ''''
    if ($Log) {
        if ($Log -match '["\u2018-\u201b]') { Stop-WithError 1 'The task cannot take over this name of a file.' 'Give another one with -Log.' }
        $call += ' -Log ''' + $Log.Replace("'", "''") + ''''
    }
    Start-Detached ('-Command "Start-Sleep -Seconds 10; ' + $call + '; Remove-Item -LiteralPath ''' + $folder + ''' -Recurse -Force"')
    # The task needs the copy and removes it.
    $script:WorkFolder = $null
    Write-Step 'The removal starts in some seconds.'
}

# The whole removal, in order.
function Uninstall-Client {
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
    $client = Get-Client
    if (-not $client.Registered -and -not $client.Product -and -not [IO.Directory]::Exists($client.Folder)) {
        Write-Step 'The RPort client is not installed on this machine.'
        $script:ExitCode = 0
        return
    }
    if ([IO.File]::Exists([IO.Path]::Combine($client.Folder, 'rportd.exe'))) {
        Stop-WithError 1 ('The RPort server (rportd.exe) is in ' + $client.Folder + ' as well. Nothing was removed.') 'Move the server to a folder of its own first.'
    }
    if (Test-InsideClient) {
        if (Test-Go 'Hand over to a task outside of the client') {
            Start-DetachedUninstall
        }
        $script:ExitCode = 0
        return
    }
    if ((Get-ClientService) -and (Test-Go 'Stop the service rport')) {
        Stop-Client $client
        $script:StoppedClient = $false
    }
    if ($client.Product -and (Test-Go ('Remove the MSI package ' + $client.Product.Version))) {
        Invoke-Msi ('/x ' + $client.Product.Code) 'Removing the package'
    }
    if ((Get-ClientService) -and (Test-Go 'Remove the service rport')) {
        Remove-ClientService
    }
    if ([IO.Directory]::Exists($client.Folder) -and (Test-Go ('Remove ' + $client.Folder + ' with configuration, logs and data'))) {
        Remove-ClientFolder $client.Folder
    }
    $script:ExitCode = 0
    if ($WhatIf) {
        return
    }
    if (Get-ClientService) {
        Stop-WithError 1 'Windows still lists the service rport.' 'It disappears with the next restart of this machine.'
    }
    Write-Step 'The RPort client is removed. Delete it on the server as well.'
}

Invoke-Main 'Uninstall-Client'
exit $script:ExitCode
