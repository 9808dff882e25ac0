## SPDX-License-Identifier: MIT
# ---- config: rport.conf, edited table by table, all else left as it is ----

# A TOML basic string.
function ConvertTo-TomlString([string]$Value) {
    $text = New-Object Text.StringBuilder
    $null = $text.Append('"')
    foreach ($char in $Value.ToCharArray()) {
        $code = [int]$char
        if ($code -eq 0x5c -or $code -eq 0x22) {
            $null = $text.Append('\').Append($char)
        } elseif ($code -lt 0x20 -or $code -eq 0x7f) {
            $null = $text.Append('\u').Append($code.ToString('X4'))
        } else {
            $null = $text.Append($char)
        }
    }
    $text.Append('"').ToString()
}

# Strings as an array of TOML.
function ConvertTo-TomlArray([string[]]$Values) {
    '[' + (@($Values | ForEach-Object { ConvertTo-TomlString $_ }) -join ', ') + ']'
}

# The strings in a TOML value: one for a string, any number for an array of strings.
function ConvertFrom-TomlStrings([string]$Text) {
    $position = 0
    while ($position -lt $Text.Length) {
        $char = $Text[$position]
        if ($char -eq '#') {
            $end = $Text.IndexOf("`n", $position)
            if ($end -lt 0) { return }
            $position = $end
        } elseif ($char -eq "'") {
            $end = $Text.IndexOf("'", $position + 1)
            if ($end -lt 0) { return }
            $Text.Substring($position + 1, $end - $position - 1)
            $position = $end
        } elseif ($char -eq '"') {
            $value = New-Object Text.StringBuilder
            $position++
            while ($position -lt $Text.Length -and $Text[$position] -ne '"') {
                if ($Text[$position] -eq '\' -and $position + 1 -lt $Text.Length) {
                    $position++
                    $escape = $Text[$position]
                    $digits = 0
                    if ($escape -ceq 'u') { $digits = 4 }
                    if ($escape -ceq 'U') { $digits = 8 }
                    if ($digits -gt 0 -and $position + $digits -lt $Text.Length) {
                        $code = [Convert]::ToInt32($Text.Substring($position + 1, $digits), 16)
                        $null = $value.Append([char]::ConvertFromUtf32($code))
                        $position += $digits
                    } else {
                        $plain = @{ 'b' = "`b"; 't' = "`t"; 'n' = "`n"; 'f' = "`f"; 'r' = "`r" }[[string]$escape]
                        if (-not $plain) { $plain = [string]$escape }
                        $null = $value.Append($plain)
                    }
                } else {
                    $null = $value.Append($Text[$position])
                }
                $position++
            }
            $value.ToString()
        }
        $position++
    }
}

# The text of a configuration as lines to be edited.
function New-Config([string]$Text) {
    $newLine = "`n"
    if ($Text.Contains("`r`n")) {
        $newLine = "`r`n"
    }
    $lines = New-Object 'Collections.Generic.List[string]'
    foreach ($line in $Text.Replace("`r`n", "`n").Split("`n")) {
        $lines.Add($line)
    }
    [pscustomobject]@{ Lines = $lines; NewLine = $newLine }
}

# UTF-8 with or without BOM; what is no UTF-8 is taken as Latin-1, so that it can be repaired.
function Read-Config([string]$Path) {
    $bytes = [IO.File]::ReadAllBytes($Path)
    try {
        $strict = [Text.Encoding]::GetEncoding('utf-8', [Text.EncoderFallback]::ExceptionFallback, [Text.DecoderFallback]::ExceptionFallback)
        $text = $strict.GetString($bytes)
    } catch {
        $text = [Text.Encoding]::GetEncoding(28591).GetString($bytes)
    }
    New-Config $text.TrimStart([char]0xfeff)
}

# The line on which a value ends that begins in the given line and column.
function Find-TomlValueEnd($Lines, [int]$Line, [int]$Column) {
    $quote = ''
    $depth = 0
    for ($index = $Line; $index -lt $Lines.Count; $index++) {
        $text = $Lines[$index]
        $position = 0
        if ($index -eq $Line) { $position = $Column }
        while ($position -lt $text.Length) {
            $char = [string]$text[$position]
            $three = $text.Substring($position, [Math]::Min(3, $text.Length - $position))
            if ($quote) {
                if ($char -eq '\' -and $quote[0] -eq '"') {
                    $position += 2
                } elseif ($quote.Length -eq 3 -and $three -eq $quote) {
                    $position += 3
                    # Up to two quotes may stand before the closing three.
                    while ($position -lt $text.Length -and $text[$position] -eq $quote[0]) { $position++ }
                    $quote = ''
                } elseif ($char -eq $quote) {
                    $quote = ''
                    $position++
                } else {
                    $position++
                }
            } elseif ($char -eq '#') {
                break
            } elseif ($char -eq '"' -or $char -eq "'") {
                $quote = $char
                if ($three -eq ($char * 3)) {
                    $quote = $three
                }
                $position += $quote.Length
            } else {
                if ($char -eq '[' -or $char -eq '{') { $depth++ }
                if ($char -eq ']' -or $char -eq '}') { $depth-- }
                $position++
            }
        }
        if ($quote.Length -eq 1) {
            throw ('rport.conf: a string does not end in line ' + ($index + 1))
        }
        if (-not $quote -and $depth -le 0) {
            return $index
        }
    }
    throw ('rport.conf: the value in line ' + ($Line + 1) + ' does not end')
}

# One entry per table header and per key: Kind, Table, Key, First, Last (lines), Column (of the value).
function Get-ConfigLayout($Config) {
    $table = ''
    $index = 0
    while ($index -lt $Config.Lines.Count) {
        $text = $Config.Lines[$index].Trim()
        if ($text -and $text[0] -ne '#') {
            if ($text -match '^\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$') {
                $table = $Matches[1].Replace('"', '').Replace("'", '')
                [pscustomobject]@{ Kind = 'table'; Table = $table; Key = ''; First = $index; Last = $index; Column = 0 }
            } elseif ($Config.Lines[$index] -match '^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|''[^'']*'')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|''[^'']*''))*)\s*=') {
                $column = $Matches[0].Length
                $key = $Matches[1].Trim('"', "'")
                $last = Find-TomlValueEnd $Config.Lines $index $column
                [pscustomobject]@{ Kind = 'key'; Table = $table; Key = $key; First = $index; Last = $last; Column = $column }
                $index = $last
            } else {
                throw ('rport.conf: line ' + ($index + 1) + ' is neither a table nor a key')
            }
        }
        $index++
    }
}

# Throws on what stops the client: text that is no TOML, a table or a key that stands there twice.
function Assert-Config($Config) {
    # Unlike @{} it tells upper from lower case.
    $seen = New-Object Collections.Hashtable
    $lists = $false
    foreach ($entry in @(Get-ConfigLayout $Config)) {
        $name = $entry.Kind + ' ' + $entry.Table + ' ' + $entry.Key
        if ($Config.Lines[$entry.First].Trim().StartsWith('[[')) { $lists = $true }
        # In a list of tables names come again.
        if (-not $lists -and $seen.ContainsKey($name)) {
            throw ('rport.conf: line ' + ($entry.First + 1) + ' repeats line ' + $seen[$name])
        }
        $seen[$name] = $entry.First + 1
    }
}

# Whether the configuration has this table.
function Test-ConfigTable($Config, [string]$Table) {
    @(Get-ConfigLayout $Config | Where-Object { $_.Kind -eq 'table' -and $_.Table -ceq $Table }).Count -gt 0
}

# The value as it is written, without comment handling; $null when the key is not set.
function Get-ConfigRaw($Config, [string]$Table, [string]$Key) {
    $entry = @(Get-ConfigLayout $Config | Where-Object { $_.Kind -eq 'key' -and $_.Table -ceq $Table -and $_.Key -ceq $Key })
    if ($entry.Count -eq 0) {
        return $null
    }
    $lines = @($Config.Lines.GetRange($entry[0].First, $entry[0].Last - $entry[0].First + 1))
    $lines[0] = $lines[0].Substring($entry[0].Column)
    ($lines -join "`n").Trim()
}

# The first string of a value, '' when the key is not set.
function Get-ConfigString($Config, [string]$Table, [string]$Key) {
    $raw = Get-ConfigRaw $Config $Table $Key
    if ($null -eq $raw) {
        return ''
    }
    [string](@(ConvertFrom-TomlStrings $raw) + '')[0]
}

# Sets a key of one table: in its place, else below its commented example, else below the table's header;
# further lines of the same key go (a duplicate key stops the client). Literal is a complete TOML value.
function Set-ConfigValue($Config, [string]$Table, [string]$Key, [string]$Literal) {
    $line = '  ' + $Key + ' = ' + $Literal
    $layout = @(Get-ConfigLayout $Config)
    $same = @($layout | Where-Object { $_.Kind -eq 'key' -and $_.Table -ceq $Table -and $_.Key -ceq $Key })
    if ($same.Count -gt 0) {
        for ($index = $same.Count - 1; $index -ge 0; $index--) {
            $Config.Lines.RemoveRange($same[$index].First, $same[$index].Last - $same[$index].First + 1)
        }
        $Config.Lines.Insert($same[0].First, $line)
        return
    }
    $header = @($layout | Where-Object { $_.Kind -eq 'table' -and $_.Table -ceq $Table })
    if ($header.Count -eq 0) {
        while ($Config.Lines.Count -gt 0 -and -not $Config.Lines[$Config.Lines.Count - 1].Trim()) {
            $Config.Lines.RemoveAt($Config.Lines.Count - 1)
        }
        foreach ($text in @('', ('[' + $Table + ']'), $line, '')) {
            $Config.Lines.Add($text)
        }
        return
    }
    $first = $header[0].First
    $end = $Config.Lines.Count
    foreach ($entry in $layout) {
        if ($entry.Kind -eq 'table' -and $entry.First -gt $first) {
            $end = $entry.First
            break
        }
    }
    $example = '^\s*#\s*' + [regex]::Escape($Key) + '\s*='
    for ($index = $first + 1; $index -lt $end; $index++) {
        if ($Config.Lines[$index] -cmatch $example) {
            $inside = @($layout | Where-Object { $_.Kind -eq 'key' -and $_.First -lt $index -and $_.Last -ge $index })
            if ($inside.Count -eq 0) {
                $Config.Lines.Insert($index + 1, $line)
                return
            }
        }
    }
    $Config.Lines.Insert($first + 1, $line)
}

# The edited configuration as text.
function Get-ConfigText($Config) {
    ($Config.Lines -join "`n").TrimEnd().Replace("`n", $Config.NewLine) + $Config.NewLine
}

# Only SYSTEM, administrators and the service's account may read files that hold credentials.
function Protect-File([string]$Path, [string]$Account) {
    $arguments = @($Path, '/inheritance:r', '/grant:r', '*S-1-5-18:F', '*S-1-5-32-544:F')
    if ($Account -and $Account -ne 'LocalSystem') {
        if ($Account.StartsWith('.\')) {
            $Account = $env:COMPUTERNAME + $Account.Substring(1)
        }
        $arguments += @($Account + ':R')
    }
    $result = Invoke-Native 'icacls.exe' $arguments
    if ($result.ExitCode -ne 0) {
        Stop-WithError 1 ('Could not restrict access to ' + $Path + ': ' + $result.Output) 'The file would show the credentials to every user of this machine.'
    }
}

# Writes UTF-8 without BOM. The secret is never in a file that others may read, and the old file is kept as a backup.
function Save-Config($Config, [string]$Path, [string]$Account) {
    $null = [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($Path))
    $new = $Path + '.new'
    try {
        [IO.File]::WriteAllText($new, '')
        Protect-File $new $Account
        [IO.File]::WriteAllText($new, (Get-ConfigText $Config))
        if ([IO.File]::Exists($Path)) {
            $backup = $Path + '.' + [DateTime]::Now.ToString('yyyyMMdd-HHmmss') + '.bak'
            Protect-File $Path $Account
            [IO.File]::Copy($Path, $backup, $true)
            Protect-File $backup $Account
            [IO.File]::Replace($new, $Path, [NullString]::Value)
            Protect-File $Path $Account
            Write-Note ('The previous configuration is kept as ' + $backup)
        } else {
            [IO.File]::Move($new, $Path)
        }
    } finally {
        [IO.File]::Delete($new)
    }
}

# What to start from when the package brought no rport.example.conf.
function New-DefaultConfig {
    New-Config "[client]`n`n[connection]`n`n[logging]`n`n[remote-commands]`n`n[remote-scripts]`n`n[monitoring]`n  enabled = true`n`n[interpreter-aliases]`n`n[file-reception]`n"
}

# -x: every command and script, without a filter.
function Enable-Execution($Config) {
    Set-ConfigValue $Config 'remote-commands' 'enabled' 'true'
    Set-ConfigValue $Config 'remote-commands' 'allow' "['.*']"
    Set-ConfigValue $Config 'remote-commands' 'deny' '[]'
    Set-ConfigValue $Config 'remote-scripts' 'enabled' 'true'
}

# The settings by which the server can run nothing here.
function Disable-Execution($Config) {
    Set-ConfigValue $Config 'remote-commands' 'enabled' 'false'
    Set-ConfigValue $Config 'remote-scripts' 'enabled' 'false'
}

# Shells that lie where their installers put them, as alias and path.
function Find-Interpreter {
    $known = @(
        @('powershell7', 'PowerShell', '7', 'pwsh.exe'),
        @('bash', 'Git', 'bin', 'bash.exe')
    )
    foreach ($entry in $known) {
        $path = [IO.Path]::Combine((Get-KnownFolder 'ProgramFiles'), $entry[1], $entry[2], $entry[3])
        if ([IO.File]::Exists($path)) {
            [pscustomobject]@{ Alias = $entry[0]; Path = $path }
        }
    }
    foreach ($folder in @([IO.Directory]::GetDirectories((Get-KnownFolder 'ProgramFiles'), 'Python3*') | Sort-Object)) {
        $path = [IO.Path]::Combine($folder, 'python.exe')
        if ([IO.File]::Exists($path)) {
            [pscustomobject]@{ Alias = 'python3'; Path = $path }
            break
        }
    }
}

# Tells the client which shells are here.
function Add-InterpreterAlias($Config) {
    foreach ($interpreter in @(Find-Interpreter)) {
        if ($null -eq (Get-ConfigRaw $Config 'interpreter-aliases' $interpreter.Alias)) {
            Set-ConfigValue $Config 'interpreter-aliases' $interpreter.Alias (ConvertTo-TomlString $interpreter.Path)
            Write-Note ('Interpreter ' + $interpreter.Alias + ': ' + $interpreter.Path)
        }
    }
}

# 'lan', 'wan' or '' (loopback, link-local, no address).
function Get-AddressKind([string]$Address) {
    $parsed = $null
    if (-not [Net.IPAddress]::TryParse($Address, [ref]$parsed)) { return '' }
    $b = $parsed.GetAddressBytes()
    if ($b.Length -ne 4) { return '' }
    if ($b[0] -eq 0 -or $b[0] -eq 127 -or $b[0] -ge 224 -or ($b[0] -eq 169 -and $b[1] -eq 254)) { return '' }
    if ($b[0] -eq 10 -or ($b[0] -eq 172 -and ($b[1] -band 0xf0) -eq 16) -or ($b[0] -eq 192 -and $b[1] -eq 168) -or ($b[0] -eq 100 -and ($b[1] -band 0xc0) -eq 64)) { return 'lan' }
    return 'wan'
}

# net_lan and net_wan: the first physical network card of each kind.
function Add-NetworkCard($Config) {
    if (-not (Get-Command Get-NetAdapter -ErrorAction SilentlyContinue)) {
        Write-Note 'This Windows has no Get-NetAdapter: network cards are not monitored.'
        return
    }
    try {
        foreach ($card in @(Get-NetAdapter -Physical | Where-Object { $_.Status -eq 'Up' })) {
            foreach ($address in @(Get-NetIPAddress -InterfaceIndex $card.ifIndex -AddressFamily IPv4 -ErrorAction SilentlyContinue)) {
                $kind = Get-AddressKind $address.IPAddress
                if ($kind -and $null -eq (Get-ConfigRaw $Config 'monitoring' ('net_' + $kind))) {
                    $megabits = [Math]::Max([long]1, [long][Math]::Floor($card.ReceiveLinkSpeed / 1000000))
                    Set-ConfigValue $Config 'monitoring' ('net_' + $kind) (ConvertTo-TomlArray @($card.Name, [string]$megabits))
                    Write-Note ('Monitoring of network card ' + $card.Name + ' (' + $kind + ', ' + $megabits + ' Mbit/s)')
                }
            }
        }
    } catch {
        Write-Note ('Network cards could not be listed and are not monitored: ' + $_.Exception.Message)
    }
}
