#!/usr/bin/env node
// Stands in for the native solc that forge expects: `--version`, and `--standard-json` on stdin.
// It never calls process.exit, which cuts an output above 64 KB; it sets process.exitCode.
"use strict";

const fs = require("fs");
const solc = require("solc");

if (process.argv.includes("--version")) {
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (process.argv.includes("--standard-json")) {
  process.stdout.write(solc.compile(fs.readFileSync(0, "utf8")) + "\n");
} else {
  process.stderr.write("expected --version or --standard-json\n");
  process.exitCode = 2;
}
