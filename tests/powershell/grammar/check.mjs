// SPDX-License-Identifier: MIT
// Parses PowerShell files with the tree-sitter grammar; prints each ERROR or missing node as FILE:LINE:COLUMN: text.
// Exit code 1 if there is any. NODE_MODULES names the folder where the two packages are installed.
//   node check.mjs FILE...
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const modules = process.env.NODE_MODULES;
const require = createRequire(join(modules, "x.js"));
const { Parser, Language } = await import(pathToFileURL(require.resolve("web-tree-sitter")).href);
await Parser.init();
const parser = new Parser();
parser.setLanguage(await Language.load(join(modules, "tree-sitter-powershell", "tree-sitter-powershell.wasm")));

let found = 0;
for (const file of process.argv.slice(2)) {
  const tree = parser.parse(readFileSync(file, "utf8"));
  const walk = (node) => {
    if (node.isError || node.isMissing) {
      const text = node.isMissing ? `missing ${node.type}` : node.text.split("\n")[0].slice(0, 80);
      console.log(`${file}:${node.startPosition.row + 1}:${node.startPosition.column + 1}: ${text}`);
      found++;
      return;
    }
    if (node.hasError) node.children.forEach(walk);
  };
  walk(tree.rootNode);
}
process.exit(found ? 1 : 0);
