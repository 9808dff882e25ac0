# SPDX-License-Identifier: MIT
# STUBS of the cmdlets from Microsoft.PowerShell.Utility that the scripts use. The module is not in the package
# System.Management.Automation, so these few lines stand in for it. What they do is less than the real ones do.
# Core cmdlets (Get-Command, Get-Help, ForEach-Object, Where-Object, Out-Host, Set-StrictMode) are real.

function Write-Host($Object) {
    $Host.UI.WriteLine([string]$Object)
}

function New-Object($TypeName, $ArgumentList) {
    $type = [type]($TypeName)
    if ($type.IsArray) { return , [Array]::CreateInstance($type.GetElementType(), [int]$ArgumentList) }
    if ($null -eq $ArgumentList) { return , [Activator]::CreateInstance($type) }
    return , [Activator]::CreateInstance($type, [object[]]@($ArgumentList))
}

# Time does not pass in the tests.
function Start-Sleep($Seconds) {
    Add-Record ('Start-Sleep ' + $Seconds)
}

function Select-Object {
    param([int]$Last, [Parameter(ValueFromPipeline = $true)]$InputObject)
    begin { $all = @() }
    process { $all += @(, $InputObject) }
    end { $all | ForEach-Object -Begin { $n = 0 } -Process { $n++; if ($n -gt $all.Count - $Last) { $_ } } }
}

function Sort-Object {
    [string[]]$all = @($input)
    [Array]::Sort($all, [StringComparer]::OrdinalIgnoreCase)
    $all
}

# The assemblies of the scripts are part of .NET already.
function Add-Type($AssemblyName) {
}

function ConvertFrom-Json([string]$InputObject) {
    function Convert-Element($Element) {
        switch ([string]$Element.ValueKind) {
            'Object' {
                $result = [pscustomobject]@{}
                foreach ($property in $Element.EnumerateObject()) {
                    $result.PSObject.Properties.Add([Management.Automation.PSNoteProperty]::new($property.Name, (Convert-Element $property.Value)))
                }
                $result
            }
            'Array' { , @($Element.EnumerateArray() | ForEach-Object { Convert-Element $_ }) }
            'String' { $Element.GetString() }
            'Number' { $Element.GetDouble() }
            'True' { $true }
            'False' { $false }
            default { $null }
        }
    }
    Convert-Element ([Text.Json.JsonDocument]::Parse($InputObject).RootElement)
}

function Add-Record([string]$Line) {
    if ($World -and $World.Record) {
        [IO.File]::AppendAllText($World.Record, $Line + "`n")
    }
}
