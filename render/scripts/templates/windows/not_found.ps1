#No pairing found by pairing code {{code}}
# SPDX-License-Identifier: MIT
$Host.UI.WriteErrorLine('! This pairing code is unknown or has expired. Nothing was installed.')
$Host.UI.WriteErrorLine('  Codes live for a few minutes only, and upper and lower case count.')
$Host.UI.WriteErrorLine('  Create a new pairing code in the web interface of your RPort server, download the script anew and run it at once.')
exit 1
