## SPDX-License-Identifier: MIT
# ---- common: messages, failures, processes ----
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$script:ExitCode = 1
$script:Failure = $null
$script:WorkFolder = $null
$script:Secrets = @()
$PairingUrl = {{pairing_url}}
$PairportVersion = {{pairport_version}}

if ([string]$ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') {
    Write-Host '! PowerShell is restricted on this machine (constrained language mode), the script cannot run. Nothing was changed.'
    exit 1
}

# With -Log every message goes to that file too. .NET has a working folder of its own, so the path must be complete.
if ($Log) {
    $Log = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Log)
    $ScriptParameters['Log'] = $Log
}

# Adds a line to the file of -Log.
function Add-LogLine([string]$Line) {
    if ($Log) {
        [IO.File]::AppendAllText($Log, [DateTime]::Now.ToString('s') + ' ' + $Line + [Environment]::NewLine)
    }
}

# Prints a line.
function Write-Line([string]$Line) {
    Write-Host $Line
    Add-LogLine $Line
}

# Says what is being done.
function Write-Step([string]$Text) {
    Write-Line ('* ' + $Text)
}

# Says what is worth knowing.
function Write-Note([string]$Text) {
    Write-Line (': ' + $Text)
}

# Goes to stderr, also where there is no console.
function Write-Problem([string]$Text) {
    foreach ($line in $Text.Split("`n")) {
        $Host.UI.WriteErrorLine($line.TrimEnd("`r"))
        Add-LogLine $line.TrimEnd("`r")
    }
}

# Replaces the password in text that comes from elsewhere (log lines, output of programs, exceptions).
function Hide-Secret([string]$Text) {
    foreach ($secret in $script:Secrets) {
        if ($secret) {
            $Text = $Text.Replace($secret, '***')
        }
    }
    $Text
}

# Ends the script with an exit code, the cause and what to do about it.
function Stop-WithError([int]$Code, [string]$Message, [string]$Remedy) {
    $script:Failure = @{ Code = $Code; Message = $Message; Remedy = $Remedy }
    throw $Message
}

# Under -WhatIf it prints what would be done and answers no.
function Test-Go([string]$Action) {
    if ($WhatIf) {
        Write-Line ('What if: ' + $Action)
        return $false
    }
    Write-Step $Action
    return $true
}

# Runs the whole script and sets $script:ExitCode, which the last line passes to exit.
function Invoke-Main([string]$Function) {
    try {
        if ($Log) {
            try {
                [IO.File]::AppendAllText($Log, '')
            } catch {
                $script:Log = ''
                Stop-WithError 1 ('The file for the messages cannot be written: ' + $_.Exception.Message) 'Check -Log.'
            }
        }
        $null = & $Function
    } catch {
        if ($script:Failure -and $script:Failure.Message -eq $_.Exception.Message) {
            $script:ExitCode = $script:Failure.Code
            Write-Problem ('! ' + $script:Failure.Message)
            if ($script:Failure.Remedy) {
                Write-Problem ('  ' + $script:Failure.Remedy)
            }
        } else {
            $script:ExitCode = 1
            Write-Problem ('! Unexpected error in line ' + $_.InvocationInfo.ScriptLineNumber + ': ' + (Hide-Secret $_.Exception.Message))
            Write-Problem '  Please report this line together with your version of Windows and PowerShell.'
        }
    } finally {
        # Also after Ctrl+C.
        Restore-StoppedClient
        Remove-WorkFolder
    }
}

# Prints the comment-based help of the script.
function Show-Help {
    Get-Help -Name $script:ScriptPath -Full | Out-Host
}

# Asks Windows; the environment, which other programs of the user may have changed, only where that has no answer.
function Get-KnownFolder([string]$Name) {
    $path = [Environment]::GetFolderPath($Name)
    if (-not $path) {
        $path = [Environment]::GetEnvironmentVariable(@{ 'ProgramFiles' = 'ProgramFiles'; 'Windows' = 'SystemRoot' }[$Name])
    }
    $path
}

# Runs a program: ExitCode, Output (both of its outputs).
function Invoke-Native([string]$File, [string[]]$Arguments) {
    # Windows PowerShell turns each line on stderr into an error: it must not end the script.
    $ErrorActionPreference = 'Continue'
    $PSNativeCommandUseErrorActionPreference = $false
    $code = -1
    $output = @()
    try {
        $global:LASTEXITCODE = 0
        $output = @(& $File @Arguments 2>&1 | ForEach-Object { [string]$_ })
        $code = $global:LASTEXITCODE
    } catch {
        $output = @($_.Exception.Message)
    }
    [pscustomobject]@{ ExitCode = $code; Output = ($output -join "`n").Trim() }
}

# 64-bit Windows that runs x86_64 programs. A 32-bit PowerShell starts the 64-bit one and passes on its exit code.
function Assert-Platform {
    $architecture = $env:PROCESSOR_ARCHITECTURE
    if ($env:PROCESSOR_ARCHITEW6432) {
        $architecture = $env:PROCESSOR_ARCHITEW6432
    }
    if ($architecture -eq 'ARM64') {
        # Windows 11 (build 22000) and later run x86_64 programs on ARM64, Windows 10 does not.
        $build = [int](Get-CimInstance -ClassName Win32_OperatingSystem).BuildNumber
        if ($build -lt 22000) {
            Stop-WithError 1 ('This is Windows on ARM64, build ' + $build + ', which does not run x86_64 programs.') 'The RPort client needs Windows 11 or later here.'
        }
        Write-Note 'This is Windows on ARM64: it runs the client for x86_64 in its emulation.'
    } elseif ($architecture -ne 'AMD64') {
        Stop-WithError 1 ('Only 64-bit Windows on x86_64 or ARM64 is supported, this is ' + $architecture + '.') 'There is no RPort client package for this machine.'
    }
    if ($env:PROCESSOR_ARCHITEW6432) {
        return $false
    }
    return $true
}

# Runs this script with the same parameters in the 64-bit PowerShell.
function Invoke-In64Bit([Collections.IDictionary]$Parameters) {
    $shell = [IO.Path]::Combine((Get-KnownFolder 'Windows'), 'sysnative', 'WindowsPowerShell', 'v1.0', 'powershell.exe')
    if (-not $script:ScriptPath -or -not [IO.File]::Exists($shell)) {
        Stop-WithError 1 'This is a 32-bit PowerShell on a 64-bit Windows.' 'Run the script in the 64-bit PowerShell.'
    }
    Write-Step 'Continuing in the 64-bit PowerShell.'
    $arguments = @('-NoProfile', '-ExecutionPolicy', 'Bypass', '-File', $script:ScriptPath) + @(ConvertTo-ArgumentList $Parameters)
    & $shell @arguments | ForEach-Object { Write-Host $_ }
    $script:ExitCode = $LASTEXITCODE
}

# Bound parameters back to arguments of a command line.
function ConvertTo-ArgumentList([Collections.IDictionary]$Parameters) {
    foreach ($name in @($Parameters.Keys | ForEach-Object { [string]$_ })) {
        $value = $Parameters[$name]
        if ($value -is [Management.Automation.SwitchParameter]) {
            if ($value.IsPresent) {
                '-' + $name
            }
        } else {
            '-' + $name
            @($value) -join ','
        }
    }
}

# A folder for downloads. Below Program Files only administrators may write: nobody swaps a checked file.
function Get-WorkFolder {
    if (-not $script:WorkFolder) {
        $script:WorkFolder = [IO.Path]::Combine((Get-KnownFolder 'ProgramFiles'), 'rport-setup-' + [guid]::NewGuid().ToString('N').Substring(0, 12))
        $null = [IO.Directory]::CreateDirectory($script:WorkFolder)
    }
    $script:WorkFolder
}

# Removes the folder for downloads.
function Remove-WorkFolder {
    if ($script:WorkFolder -and [IO.Directory]::Exists($script:WorkFolder)) {
        try {
            [IO.Directory]::Delete($script:WorkFolder, $true)
        } catch {
            Write-Note ('Could not remove ' + $script:WorkFolder + '. Please delete it by hand.')
        }
    }
    $script:WorkFolder = $null
}

# -1, 0 or 1. Numbers count as numbers; a pre-release (0.9.14-rc1) comes before its release.
function Compare-Version([string]$Left, [string]$Right) {
    $parts = @()
    foreach ($text in @($Left, $Right)) {
        $text = $text.Trim().TrimStart('v', 'V')
        $release = $text.Split('+')[0]
        $pre = ''
        $dash = $release.IndexOf('-')
        if ($dash -ge 0) {
            $pre = $release.Substring($dash + 1)
            $release = $release.Substring(0, $dash)
        }
        $numbers = @($release.Split('.') | ForEach-Object { $n = [long]0; if ([long]::TryParse($_, [ref]$n)) { $n } else { [long]0 } })
        $parts += @{ Numbers = $numbers; Pre = $pre }
    }
    $count = [Math]::Max($parts[0].Numbers.Count, $parts[1].Numbers.Count)
    for ($index = 0; $index -lt $count; $index++) {
        $a = [long]0
        $b = [long]0
        if ($index -lt $parts[0].Numbers.Count) { $a = $parts[0].Numbers[$index] }
        if ($index -lt $parts[1].Numbers.Count) { $b = $parts[1].Numbers[$index] }
        if ($a -ne $b) {
            return [Math]::Sign($a - $b)
        }
    }
    if ($parts[0].Pre -eq $parts[1].Pre) { return 0 }
    if (-not $parts[0].Pre) { return 1 }
    if (-not $parts[1].Pre) { return -1 }
    return [Math]::Sign([string]::CompareOrdinal($parts[0].Pre, $parts[1].Pre))
}

# Ends for what cannot be a version.
function Assert-Version([string]$Text) {
    if ($Text -and $Text -notmatch '\A[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}\z') {
        Stop-WithError 1 'This is not a version number.' 'Give one like 0.9.14.'
    }
}
