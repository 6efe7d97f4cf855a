// What loading the packages named on the command line costs: milliseconds, and resident bytes.
'use strict';
const begun = performance.now();
for (const name of process.argv.slice(2)) require(name);
const ms = performance.now() - begun;
process.stdout.write(JSON.stringify({ ms, bytes: process.memoryUsage.rss() }));
