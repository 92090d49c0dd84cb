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
 *  4. A program whose name says CommonJS and whose text is an ES module runs as one, as node does by itself from version 22 on. V8 decides.
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

/* Is this what CommonJS cannot be, and a module can? As node 22 decides. It is also the source of a hook: it uses nothing from outside. */
function isModuleText(text) {
	const ours = /^(Cannot use (import statement|'import\.meta') outside a module|Unexpected token 'export')/;
	const mistakeOf = (make, names) => {
		try {
			make(...names, text.replace(/^#!/, '//'));
		} catch (error) {
			return error.message;
		}
		return null;
	};

	if (!/import|export|await/.test(text))
		return false; /* most programs: they are not parsed twice */
	const mistake = mistakeOf(Function, ['exports', 'require', 'module', '__filename', '__dirname']);

	if (mistake === null || ours.test(mistake))
		return mistake !== null;
	const inAsync = mistakeOf(Object.getPrototypeOf(async () => {}).constructor, []);

	return inAsync === null || ours.test(inAsync);
}

const readText = (path) => process.binding('fs').internalModuleReadJSON(path)[0];

/* The type of the package that a file belongs to, or undefined. */
function packageType(file) {
	for (let folder = file; folder;) {
		folder = folder.slice(0, folder.lastIndexOf('/'));
		const text = readText(`${folder}/package.json`);

		if (text !== undefined) {
			try {
				return JSON.parse(text).type;
			} catch {
				return 'none';
			}
		}
	}
	return undefined;
}

function isModuleFile(file) {
	const text = file && /\.js$|\/[^.]*$/.test(file) ? readText(file) : undefined;

	return text !== undefined && isModuleText(text) && packageType(file) === undefined;
}

/* Of the thread that finds and reads modules: those whose text says so are modules, too. */
const hooks = (end) => `import { readFile } from 'fs/promises';
${isModuleText}
export async function load(url, context, next) {
	if (url.startsWith('file:') && !url.includes('/node_modules/') && context.format === 'commonjs') {
		const source = await readFile(new URL(url), 'utf8');
		if (isModuleText(source))
			return { format: 'module', source: source${end ? ` + ${JSON.stringify(end)}` : ''}, shortCircuit: true };
	}
	return next(url, context);
}`;

function importFile(Module, file, end) {
	Module.register(`data:text/javascript,${encodeURIComponent(hooks(end))}`);
	return import(require('url').pathToFileURL(file).href);
}

/* In place of the CommonJS that node would take it for. */
function runModule(Module, file) {
	const { runMain } = Module;

	Module.runMain = () => {
		const unsettled = () => {
			process.exitCode ??= 13;
		};

		Module.runMain = runMain;
		process.on('exit', unsettled);
		importFile(Module, file).then(() => process.off('exit', unsettled), (error) => {
			process.off('exit', unsettled);
			throw error;
		});
	};
}

/* node --check: the module is parsed and, since one that it needs is nowhere, never run. */
function checkModule(Module, file) {
	process.argv[1] = '/dev/null';
	importFile(Module, file, "\nimport 'mayfly:nowhere'").catch((error) => {
		if (error instanceof SyntaxError)
			throw error;
	});
}

const go = take('MAYFLY_GO');

take('NODE_OPTIONS');
leaveNoTrace(module.constructor);
usePool();
if (go && process.version.startsWith('v18.')) {
	loadAhead(module.constructor);
	wait(Number(go));
}
if (isModuleFile(process.argv[1]) && require('worker_threads').isMainThread && require('module').register)
	(process.execArgv.some((option) => option === '--check' || option === '-c') ? checkModule : runModule)(require('module'), process.argv[1]);
