/*
 * Holds a node that was started ahead until its script is there (worker/init_spare.c). NODE_OPTIONS=--require makes node load
 * this file before it looks for the script, be that CommonJS or a module; a worker thread loads it, too.
 *
 * Rules
 *  1. What the script can see is what it would see without us: require.cache and its like, process.env.
 *  2. Only fs and module are used, which every node has loaded by now.
 *  3. Without MAYFLY_GO nothing waits, and nothing is different.
 */
'use strict';

const fs = require('fs');
const Module = require('module');

function take(name) {
	const value = process.env[name];

	delete process.env[name];
	return value;
}

function leaveNoTrace() {
	take('NODE_OPTIONS');
	delete Module._cache[__filename];
	for (const key of Object.keys(Module._pathCache))
		if (Module._pathCache[key] === __filename)
			delete Module._pathCache[key];
}

/* Waits for the byte that says go; ends the process when there will be none. */
function wait(descriptor) {
	fs.writeSync(descriptor, 'w');
	if (fs.readSync(descriptor, new Uint8Array(1)) === 0)
		process.reallyExit(0);
	fs.closeSync(descriptor);
}

const go = take('MAYFLY_GO');

leaveNoTrace();
if (go)
	wait(Number(go));
