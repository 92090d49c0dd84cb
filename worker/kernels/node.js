/*
 * Holds a node that was started ahead until its script is there (src/init/prepared.c). NODE_OPTIONS=--require makes node load
 * this file before it looks for the script, be that CommonJS or a module; a worker thread loads it, too.
 *
 * Rules
 *  1. What the script can see is what it would see without us: require.cache and its like, process.env, the pool of Buffer. The one
 *     exception is process.moduleLoadList, node's own modules in the order of loading: some come earlier.
 *  2. So fs is not loaded by its public name. The binding that it uses is there already; its functions take what node 18 passes, and
 *     another node is not held.
 *  3. Without MAYFLY_GO nothing waits, and nothing is different.
 *
 * Node looks for a package.json in the working directory before it loads this file, and remembers that there was none: a job that
 * brings one is not for a kernel (MAYFLY_UNLESS in languages.d/node.json).
 */
'use strict';

function take(name) {
	const value = process.env[name];

	delete process.env[name];
	return value;
}

/* What node loads behind the first file, and what it takes to print to a pipe: half of what is left to do, and nobody waits yet. */
function loadAhead(Module) {
	Module._extensions['.mayfly'] = () => {};
	new Module('').load('/none.mayfly');
	delete Module._extensions['.mayfly'];
	require('net');
}

/* Our source is in the pool: the script's shall be in another, where it would have been in this one, behind 8 bytes. */
function usePool() {
	let rest = Buffer.poolSize - Buffer.allocUnsafe(8).byteOffset - 8;

	for (let size; rest > 0; rest -= size) {
		size = Math.min(rest, Buffer.poolSize / 2 - 8); /* half a pool or more is never in it */
		Buffer.allocUnsafe(size);
	}
	Buffer.allocUnsafe(8);
}

function leaveNoTrace(Module) {
	process._preload_modules.length = 0;
	delete Module._cache[__filename];
	for (const key of Object.keys(Module._pathCache))
		if (Module._pathCache[key] === __filename)
			delete Module._pathCache[key];
}

/* Waits for the byte that says go; ends the process when there will be none. */
function wait(descriptor) {
	const fs = process.binding('fs');
	const byte = new Uint8Array([0x77]);
	const problem = {};

	fs.writeBuffer(descriptor, byte, 0, 1, null, undefined, problem);
	if (fs.read(descriptor, byte, 0, 1, -1, undefined, problem) !== 1)
		process.reallyExit(0);
	fs.close(descriptor, undefined, problem);
}

const go = take('MAYFLY_GO');

take('NODE_OPTIONS');
leaveNoTrace(module.constructor);
usePool();
if (go && process.version.startsWith('v18.')) {
	loadAhead(module.constructor);
	wait(Number(go));
}
