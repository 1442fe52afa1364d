// Runs every `$ command` of a document's console blocks, in order, and writes what it printed below it. The last command
// of a block that is marked `console refused` must fail, all others must not.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const [, , path, work] = process.argv;
const text = readFileSync(path, "utf8");
writeFileSync(path, text.replace(/```(console(?: refused)?)\n([^]*?)```/g, (_, kind, block) => `\`\`\`${kind}\n${outputs(kind, block)}\`\`\``));

function outputs(kind, block) {
  const commands = block.split("\n").filter((line) => line.startsWith("$ "));
  return commands.map((line, at) => run(line, kind.endsWith("refused") && at === commands.length - 1)).join("\n");
}

function run(line, refused) {
  const command = line.slice(2).replaceAll("./hysio", "hysio");
  const { stdout, status } = spawnSync("bash", ["-o", "pipefail", "-c", `{ ${command}\n} 2>&1`], { encoding: "utf8" });
  if ((status !== 0) !== refused) throw new Error(`${line} ended with ${status}:\n${stdout}`);
  return `${line}\n${stdout.replaceAll(work, "…")}`;
}
