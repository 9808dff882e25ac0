## SPDX-License-Identifier: MIT
# ---- package: where the client comes from, download, checks, MSI and zip ----
$StableVersion = {{version}}
$UnstableVersion = {{unstable_version}}
$WindowsUrl = {{windows_url}}
$ChecksumsUrl = {{checksums_url}}
$TacoscriptUrl = {{tacoscript_url}}
$PinnedSha256 = {{sha256}}
$StrictChecksums = {{strict_checksums}}
$script:DownloadStatus = 0

# A URL of the configuration with its placeholders filled in.
function Expand-UrlTemplate([string]$Template, [string]$Version, [string]$Os, [string]$Channel) {
    $Template.Replace('{version}', $Version).Replace('{os}', $Os).Replace('{arch}', 'x86_64').Replace('{channel}', $Channel)
}

# For messages: without user, password and query, which may be secret.
function Get-PrintableUrl([string]$Url) {
    [regex]::Replace($Url.Split('?')[0], '//[^/@]*@', '//')
}

# The last part of a URL's path.
function Get-UrlFileName([string]$Url) {
    $path = $Url.Split('?')[0].Split('#')[0]
    [Uri]::UnescapeDataString($path.Substring($path.LastIndexOf('/') + 1))
}

# URLs to try in order: the configured one, for an installation from a zip the zip beside the MSI first.
function Get-PackageUrl([string]$Version, [string]$Wanted) {
    $url = Expand-UrlTemplate $WindowsUrl $Version 'windows' ''
    foreach ($pair in @(@('zip', '.msi', '.zip'), @('msi', '.zip', '.msi'))) {
        if ($Wanted -eq $pair[0] -and $url.EndsWith($pair[1], [StringComparison]::OrdinalIgnoreCase)) {
            $url.Substring(0, $url.Length - 4) + $pair[2]
        }
    }
    $url
}

# Windows before 10 and older .NET offer TLS 1.0 only unless told otherwise; newer ones choose well by themselves.
function Enable-Tls12 {
    $current = [int][Net.ServicePointManager]::SecurityProtocol
    if ($current -ne 0 -or [Environment]::OSVersion.Version.Major -lt 10) {
        [Net.ServicePointManager]::SecurityProtocol = [Enum]::ToObject([Net.SecurityProtocolType], ($current -bor 3072))
    }
}

# The answer to a GET, through the proxy of the system unless -Direct. HttpWebRequest behaves alike in all
# versions of PowerShell and, other than Invoke-WebRequest, is not slowed down by a progress display.
function Open-Url([string]$Url, [int]$Seconds, [switch]$Direct, [string]$Authorization) {
    $request = [Net.WebRequest]::Create($Url)
    $request.UserAgent = 'pairport/' + $PairportVersion + ' PowerShell/' + $PSVersionTable.PSVersion
    $request.Timeout = $Seconds * 1000
    $request.ReadWriteTimeout = 60000
    if ($Direct) {
        $request.Proxy = New-Object Net.WebProxy
    } elseif ($request.Proxy) {
        $request.Proxy.Credentials = [Net.CredentialCache]::DefaultNetworkCredentials
    }
    if ($Authorization) {
        $request.Headers.Set('Authorization', $Authorization)
    }
    $request.GetResponse()
}

# What went wrong with a request: HTTP status (0 for none), name of the cause, the innermost message.
function Get-WebFailure($Exception) {
    $status = 0
    $name = 'UnknownError'
    $message = ''
    while ($Exception) {
        $message = $Exception.Message
        if ($Exception -is [Net.WebException]) {
            $name = [string]$Exception.Status
            if ($Exception.Response) {
                $status = [int]$Exception.Response.StatusCode
                $Exception.Response.Close()
                break
            }
        }
        # .NET (PowerShell 7) tells the cause in inner exceptions only.
        if ($name -eq 'UnknownError' -and $Exception -is [Security.Authentication.AuthenticationException]) {
            $name = 'SecureChannelFailure'
        }
        if ($name -eq 'UnknownError' -and $Exception -is [Net.Sockets.SocketException]) {
            $name = 'ConnectFailure'
            if (@('HostNotFound', 'TryAgain', 'NoData') -contains [string]$Exception.SocketErrorCode) {
                $name = 'NameResolutionFailure'
            }
        }
        $Exception = $Exception.InnerException
    }
    [pscustomobject]@{ Status = $status; Name = $name; Message = $message }
}

# Downloads to a file: three tries, no second one after an answer that will not change.
function Save-Url([string]$Url, [string]$Path, [string]$Authorization) {
    if ($Url -notmatch '\Ahttps?://[^/]') {
        Stop-WithError 1 'The download address is no http or https URL.' 'Check -pkgUrl, or the [installer] settings of the pairing service.'
    }
    $failure = $null
    for ($try = 1; $try -le 3; $try++) {
        $response = $null
        $file = $null
        try {
            $response = Open-Url $Url 30 -Authorization $Authorization
            if ($Url.StartsWith('https:', [StringComparison]::OrdinalIgnoreCase) -and $response.ResponseUri.Scheme -ne 'https') {
                Stop-WithError 3 'The download was redirected from https to an address without encryption.' 'Check the [installer] settings of the pairing service.'
            }
            $file = [IO.File]::Create($Path)
            $response.GetResponseStream().CopyTo($file)
            $length = $file.Length
            $file.Dispose()
            $file = $null
            if ($response.ContentLength -ge 0 -and $response.ContentLength -ne $length) {
                throw ('only ' + $length + ' of ' + $response.ContentLength + ' bytes arrived')
            }
            return
        } catch {
            if ($script:Failure) { throw }
            $failure = Get-WebFailure $_.Exception
        } finally {
            if ($file) { $file.Dispose() }
            if ($response) { $response.Close() }
        }
        if ($failure.Status -ge 400 -and $failure.Status -lt 500 -and $failure.Status -ne 408 -and $failure.Status -ne 429) {
            break
        }
        if ($try -lt 3) {
            Write-Note ('Download failed (' + $failure.Message + '), trying again.')
            Start-Sleep -Seconds (2 * $try)
        }
    }
    $script:DownloadStatus = $failure.Status
    Stop-WithError 3 ('Download of ' + (Get-PrintableUrl $Url) + ' failed: ' + $failure.Message) 'Check the address, the proxy of the system and the firewall, or give another package with -pkgUrl.'
}

# The sha256 of a file, in lower-case hexadecimal.
function Get-Sha256([string]$Path) {
    $stream = [IO.File]::OpenRead($Path)
    try {
        # Not SHA256.Create(): it throws with .NET before 4.8 where Windows allows FIPS algorithms only.
        $hash = New-Object Security.Cryptography.SHA256CryptoServiceProvider
        [BitConverter]::ToString($hash.ComputeHash($stream)).Replace('-', '').ToLowerInvariant()
    } finally {
        $stream.Dispose()
    }
}

# The hash of a file in a list of '<hex>  <file>' lines, '' when it is not listed.
function Find-Checksum([string]$List, [string]$Name) {
    foreach ($line in $List.Split("`n")) {
        if ($line.Trim() -match '\A([0-9A-Fa-f]{64})\s+\*?(.+)\z' -and $Matches[2] -ceq $Name) {
            return $Matches[1].ToLowerInvariant()
        }
    }
    return ''
}

# 'msi' or 'zip' by the first bytes; anything else (an error page, nothing at all) is refused.
function Get-PackageKind([string]$Path) {
    $head = New-Object byte[] 4
    $stream = [IO.File]::OpenRead($Path)
    try {
        $count = $stream.Read($head, 0, 4)
    } finally {
        $stream.Dispose()
    }
    $magic = [BitConverter]::ToString($head, 0, $count)
    if ($magic -eq 'D0-CF-11-E0') { return 'msi' }
    if ($magic -eq '50-4B-03-04') { return 'zip' }
    Stop-WithError 3 'What was downloaded is neither an MSI package nor a zip archive.' 'A proxy or portal may have answered with a page of its own. Open the address in a browser, or give another package with -pkgUrl.'
}

# With strict_checksums, ends the script for a package whose sha256 nobody has named, signed or not.
function Assert-ChecksumIsNotDemanded([string]$Name) {
    if ($StrictChecksums -eq 'true') {
        Stop-WithError 3 ('No sha256 is known for ' + $Name + ', and this pairing service demands one.') 'Its operator can add it: [installer] sha256, or checksums_url.'
    }
}

# Pinned hash, else checksums.txt, else the Authenticode signature. A mismatch ends the script.
function Assert-Package([string]$Path, [string]$Url, [string]$Version) {
    $name = Get-UrlFileName $Url
    $expected = Find-Checksum $PinnedSha256 $name
    $source = 'the value set by the operator'
    if (-not $expected -and $ChecksumsUrl -and -not $pkgUrl) {
        $source = 'checksums.txt'
        $list = [IO.Path]::Combine((Get-WorkFolder), 'checksums.txt')
        try {
            Save-Url (Expand-UrlTemplate $ChecksumsUrl $Version 'windows' '') $list
            $expected = Find-Checksum ([IO.File]::ReadAllText($list)) $name
        } catch {
            $script:Failure = $null
            Write-Note ('The list of checksums could not be had: ' + $_.Exception.Message)
        }
    }
    if ($expected) {
        if ((Get-Sha256 $Path) -cne $expected) {
            Stop-WithError 3 ('The sha256 of ' + $name + ' differs from ' + $source + '. The package is not used.') 'It was damaged or replaced on its way. Do not install it; tell the operator of the pairing service.'
        }
        Write-Step ('The sha256 of ' + $name + ' equals ' + $source + '.')
        return
    }
    Assert-ChecksumIsNotDemanded $name
    if ((Get-PackageKind $Path) -eq 'msi') {
        $signature = Get-AuthenticodeSignature -FilePath $Path
        if ([string]$signature.Status -eq 'Valid') {
            Write-Step ('The signature of ' + $name + ' is valid: ' + $signature.SignerCertificate.Subject)
            return
        }
        if ([string]$signature.Status -ne 'NotSigned') {
            Stop-WithError 3 ('The signature of ' + $name + ' is not valid (' + $signature.Status + '). The package is not used.') 'It was damaged or replaced on its way, or its certificate is not trusted by this machine.'
        }
    }
    Write-Note ('CAUTION: ' + $name + ' is not signed and no checksum is known for it. It could not be checked.')
}

# Downloads and checks the client package: Path, Kind, Url.
function Get-ClientPackage([string]$Version, [string]$Wanted) {
    $authorization = ''
    $urls = @(Get-PackageUrl $Version $Wanted)
    if ($pkgUrl) {
        $urls = @($pkgUrl)
        if ($env:RPORT_INSTALLER_DL_USERNAME) {
            $pair = $env:RPORT_INSTALLER_DL_USERNAME + ':' + $env:RPORT_INSTALLER_DL_PASSWORD
            $authorization = 'Basic ' + [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($pair))
        }
    }
    $download = [IO.Path]::Combine((Get-WorkFolder), 'package')
    for ($index = 0; $index -lt $urls.Count; $index++) {
        Write-Step ('Downloading ' + (Get-PrintableUrl $urls[$index]))
        try {
            Save-Url $urls[$index] $download $authorization
            break
        } catch {
            if ($index + 1 -ge $urls.Count -or $script:DownloadStatus -ne 404) { throw }
            $script:Failure = $null
        }
    }
    $kind = Get-PackageKind $download
    $path = [IO.Path]::Combine((Get-WorkFolder), 'rport.' + $kind)
    [IO.File]::Move($download, $path)
    Assert-Package $path $urls[$index] $Version
    [pscustomobject]@{ Path = $path; Kind = $kind; Url = $urls[$index] }
}

# Takes single files out of a zip archive, by name, wherever they lie in it.
function Expand-ZipFile([string]$Path, [string[]]$Names, [string]$Folder) {
    Add-Type -AssemblyName System.IO.Compression
    Add-Type -AssemblyName System.IO.Compression.FileSystem
    $found = @()
    try {
        $zip = [IO.Compression.ZipFile]::OpenRead($Path)
        try {
            foreach ($entry in $zip.Entries) {
                if ($Names -contains $entry.Name -and $found -notcontains $entry.Name) {
                    [IO.Compression.ZipFileExtensions]::ExtractToFile($entry, [IO.Path]::Combine($Folder, $entry.Name), $true)
                    $found += $entry.Name
                }
            }
        } finally {
            $zip.Dispose()
        }
    } catch {
        Stop-WithError 3 ('The zip archive could not be unpacked: ' + $_.Exception.Message) 'It may be damaged, or a virus scanner may hold it back. Run the script again.'
    }
    if ($found -notcontains $Names[0]) {
        Stop-WithError 3 ('The zip archive holds no ' + $Names[0] + '.') 'Check -pkgUrl, or the [installer] settings of the pairing service.'
    }
}

# Puts a checked package in place. The client is stopped by now.
function Install-ClientPackage($Package, $Client, [string]$Version) {
    if ($Package.Kind -eq 'zip') {
        $null = [IO.Directory]::CreateDirectory($Client.Folder)
        Expand-ZipFile $Package.Path @('rport.exe', 'rport.example.conf') $Client.Folder
        return
    }
    $config = $null
    if ([IO.File]::Exists($Client.ConfigPath)) {
        $config = [IO.File]::ReadAllBytes($Client.ConfigPath)
    }
    $product = Get-MsiProduct
    if ($product -and (-not $Version -or (Compare-Version $product.Version $Version) -ge 0)) {
        # Windows Installer neither installs the same package again nor an older one over a newer one.
        Write-Note ('Removing the MSI package ' + $product.Version + ' first, the configuration stays.')
        Invoke-Msi ('/x ' + $product.Code) 'Removing the installed package'
    } elseif (-not $product) {
        # A service that the package did not create would be in its way.
        Remove-ClientService
    }
    Invoke-Msi ('/i "' + $Package.Path + '" INSTALLDIR="' + $Client.Folder + '"') 'Installing the package'
    if ($config -and -not [IO.File]::Exists($Client.ConfigPath)) {
        # The removal of an old package took it along.
        [IO.File]::WriteAllBytes($Client.ConfigPath, $config)
        Protect-File $Client.ConfigPath $Client.Account
    }
}

# Tacoscript below Program Files and in the PATH of the machine.
function Install-Tacoscript([string]$Channel) {
    $url = Expand-UrlTemplate $TacoscriptUrl '' 'Windows' $Channel
    $zip = [IO.Path]::Combine((Get-WorkFolder), 'tacoscript.zip')
    Write-Step ('Downloading ' + (Get-PrintableUrl $url))
    Save-Url $url $zip
    $expected = Find-Checksum $PinnedSha256 (Get-UrlFileName $url)
    if (-not $expected) { Assert-ChecksumIsNotDemanded 'Tacoscript' }
    if ($expected -and (Get-Sha256 $zip) -cne $expected) {
        Stop-WithError 3 'The sha256 of Tacoscript differs from the value set by the operator. It is not used.' 'It was damaged or replaced on its way.'
    }
    if ((Get-PackageKind $zip) -ne 'zip') {
        Stop-WithError 3 'What was downloaded for Tacoscript is no zip archive.' 'Check tacoscript_url in the [installer] settings of the pairing service.'
    }
    $folder = [IO.Path]::Combine((Get-KnownFolder 'ProgramFiles'), 'tacoscript', 'bin')
    $null = [IO.Directory]::CreateDirectory($folder)
    Expand-ZipFile $zip @('tacoscript.exe') $folder
    $path = [string][Environment]::GetEnvironmentVariable('Path', 'Machine')
    if (@($path.Split(';') | ForEach-Object { $_.TrimEnd('\') }) -notcontains $folder) {
        [Environment]::SetEnvironmentVariable('Path', $path.TrimEnd(';') + ';' + $folder, 'Machine')
    }
    Write-Step ('Tacoscript is in ' + $folder)
}
