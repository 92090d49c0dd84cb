/*
 * The kernel of node cells (protocol/control.h, src/init/kernel_cell.c): node's own REPL evaluates them, so let, const and class stay, await works
 * at the top level, import() and require() start from the working directory, and the value is what the REPL would show.
 *
 * Rules
 *  1. A cell has ended when its statements have, and what they await at the top level; timers go on, and what they say comes with the
 *     next cell. A last cell ends as node does: when nothing is left to do.
 *  2. process.exit ends the cell, not the kernel, but for a last cell.
 *  3. Errors look as node's own, without the REPL's frames.
 *  4. The channel blocks: it is read by one of node's threads while nothing runs, and a frame is written whole.
 *  5. An interrupt is for the REPL: its watchdog ends what loops, its listeners what waits. The watchdog's handler is lost when a listener of the
 *     process is taken off under it, so none is there while it works.
 *  6. A last cell with a script is that script, run by node's own loader.
 *  7. What the REPL does not take of JavaScript is put into other words first (modern.js).
 */
'use strict';

const fs = require('fs');
const path = require('path');
const repl = require('repl');
const util = require('util');
const { Readable, Writable } = require('stream');
const modern = require('./modern.js');

const [channel, codeDescriptor] = process.env.MAYFLY_CELL.split(',').map(Number);
const MAX_BYTES = 4 << 20;
const EXIT = Symbol('process.exit');
const reallyExit = process.exit;
const METHODS = [['_toHtml', 'text/html'], ['_toSvg', 'image/svg+xml'], ['_toPng', 'image/png'], ['_toJpeg', 'image/jpeg']];

delete process.env.MAYFLY_CELL;

let server;
let cell = null; /* the one that runs */
let index = 0;

/* --- The channel ------------------------------------------------------------------------------- */

function send(type, payload = Buffer.alloc(0)) {
	const header = Buffer.alloc(5);

	header.write(type, 0, 'latin1');
	header.writeUInt32BE(payload.length, 1);
	const frame = Buffer.concat([header, payload]);
	try {
		for (let sent = 0; sent < frame.length;)
			sent += fs.writeSync(channel, frame, sent);
	} catch {
		/* the program has closed it: nobody will hear of this */
	}
}

let heard = '';

function receive(take) {
	const end = heard.indexOf('\n');

	if (end >= 0) {
		const [, number, echo, last, script] = heard.slice(0, end).match(/^index=(\d+) echo=(\d) last=(\d) script=(.*)$/);

		heard = heard.slice(end + 1);
		take({ index: Number(number), echo: echo === '1', last: last === '1', script });
		return;
	}
	const piece = Buffer.alloc(4096);

	fs.read(channel, piece, 0, piece.length, null, (error, got) => {
		if (error || got === 0)
			process.reallyExit(0);
		heard += piece.toString('utf8', 0, got);
		receive(take);
	});
}

/* --- Displays ---------------------------------------------------------------------------------- */

function sendDisplay(type, name, source, content, message) {
	const line = message === undefined ? '' : `message=${message.replace(/[\x00-\x1f\x7f]/g, ' ').slice(0, 200)}\0`;
	const payload = Buffer.concat([Buffer.from(`type=${type}\0name=${name}\0source=${source}\0index=${index}\0${line}\0`), content]);

	if (payload.length > MAX_BYTES)
		process.stderr.write(`mayfly: ${name} (${type}) has more than 4 MiB and is left out\n`);
	else
		send('P', payload);
}

function toBytes(content, type) {
	if (Buffer.isBuffer(content) || content instanceof Uint8Array)
		return Buffer.from(content);
	if (typeof content === 'string')
		return Buffer.from(content, type === 'image/png' || type === 'image/jpeg' ? 'base64' : 'utf8');
	return Buffer.from(JSON.stringify(content));
}

function formsOf(value) {
	if (value === null || (typeof value !== 'object' && typeof value !== 'function'))
		return [];
	if (typeof value._toMime === 'function')
		return Object.entries(value._toMime());
	return METHODS.filter(([method]) => typeof value[method] === 'function').map(([method, type]) => [type, value[method]()]);
}

/* True when value has forms of its own. */
function show(value) {
	const forms = formsOf(value).filter(([type]) => /^[a-z0-9]+\/[a-z0-9+._-]*[a-z0-9+._-]$/.test(type) && type.length <= 100);

	for (const [type, content] of forms)
		sendDisplay(type, `display_${cell ? cell.displays++ : 0}`, 'node', toBytes(content, type));
	return forms.length > 0;
}

/* display(value): as a last expression. display(content, type): bytes, text, or base64 of a picture. */
function display(value, type) {
	if (type !== undefined)
		show({ _toMime: () => ({ [type]: value }) });
	else if (!show(value))
		console.log(value);
}

/* --- Errors ------------------------------------------------------------------------------------ */

function cleanStack(error) {
	for (const name of ['domain', 'domainEmitter', 'domainBound', 'domainThrown'])
		delete error[name];

	const lines = String(error.stack).split('\n');
	const first = lines.findIndex((line) => /^ {4}at .*(node:(internal\/)?vm|node:repl|node:domain|\/usr\/lib\/mayfly\/)/.test(line));

	return (first < 0 ? lines : lines.slice(0, first)).join('\n');
}

/* The line that node shows above an error: name:line, the line, and where in it. */
function arrowFor(stack, source) {
	const found = stack.match(/(?:^ {4}at |\()(<cell \d+>):(\d+):(\d+)\)?$/m);
	const text = found && source.name === found[1] ? source.text.split('\n')[found[2] - 1] : undefined;

	return text === undefined ? '' : `${found[1]}:${found[2]}\n${text}\n${text.slice(0, found[3] - 1).replace(/[^\t]/g, ' ')}^\n\n`;
}

function report(error, source) {
	let message, text;

	if (util.types.isNativeError(error)) {
		const stack = cleanStack(error);
		const rest = Object.keys(error).length ? ` ${util.inspect({ ...error })}` : '';

		text = `${stack.startsWith('<cell ') ? '' : arrowFor(stack, source)}${stack}${rest}`;
		message = `${error.name}: ${error.message}`;
	} else {
		message = `Uncaught ${util.inspect(error)}`;
		text = message;
	}
	text += `\n\nNode.js ${process.version}\n`;
	process.stderr.write(text);
	sendDisplay('application/vnd.mayfly.error', 'error', 'node', Buffer.from(text), message);
}

/* --- A cell ------------------------------------------------------------------------------------ */

function drained(stream) {
	return new Promise((resolve) => stream.writableLength ? stream.write('', () => resolve()) : resolve());
}

async function endCell(code) {
	const ended = cell;

	if (!ended || ended.hasEnded)
		return;
	ended.hasEnded = true;
	if (ended.last) {
		cell = null;
		if (code)
			process.exitCode = code;
		if (ended.exits)
			reallyExit.call(process, code);
		return; /* when nothing is left to do */
	}
	await Promise.all([drained(process.stdout), drained(process.stderr)]);
	clearInterval(ended.keeper);
	cell = null;
	send('X', Buffer.from(`code=${code}\0`));
	receive(run);
}

function codeOf(error) {
	return error && error.code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED' ? 130 : 1;
}

function fail(error) {
	if (error === EXIT)
		return;
	if (error instanceof repl.Recoverable)
		error = error.err; /* of a text that ends too early */
	report(error, cell || { name: '', text: '' });
	if (!cell)
		process.exitCode = 1;
	endCell(codeOf(error));
}

/* What was thrown where nobody waits: the cell that runs has failed; a last one ends the process. */
function failLater(error) {
	if (error === EXIT)
		return;
	const isLast = !cell || cell.last;

	report(error, cell || { name: '', text: '' });
	if (isLast && wasLast)
		reallyExit.call(process, 1);
	endCell(codeOf(error));
}

let wasLast = false;

function runScript(request) {
	const name = path.resolve(request.script);

	process.exit = reallyExit;
	for (const event of ['SIGINT', 'unhandledRejection', 'uncaughtException'])
		process.removeAllListeners(event);
	process.argv = [process.argv[0], name];
	fs.closeSync(channel);
	require('module').runMain(name);
}

function withoutListeners(act) {
	const listeners = process.rawListeners('SIGINT');

	process.removeAllListeners('SIGINT');
	try {
		act();
	} finally {
		for (const listener of listeners)
			process.on('SIGINT', listener);
	}
}

function run(request) {
	index = request.index;
	if (request.last && !request.echo && request.script && index === 0) {
		runScript(request);
		return;
	}
	if (!server)
		startServer();
	const text = fs.readFileSync(request.script || codeDescriptor, 'utf8');

	cell = { ...request, name: request.script ? path.resolve(request.script) : `<cell ${index}>`, text, displays: 0, hasEnded: false };
	wasLast = request.last;
	if (!request.last)
		cell.keeper = setInterval(() => {}, 1 << 30); /* nothing to do is no reason to end */
	const script = modern.rewrite(text);

	withoutListeners(() => server.eval(`${script.text}\n`, server.context, cell.name, (error, value) => {
		if (error) {
			fail(error);
			return;
		}
		if (request.echo && !script.isSilent && value !== undefined) {
			process.stdout.write(`${util.inspect(value)}\n`);
			show(value);
		}
		setImmediate(endCell, 0); /* behind promises that nobody has caught */
	}));
}

/* --- Beginning --------------------------------------------------------------------------------- */

function exit(code = process.exitCode || 0) {
	if (cell && !cell.hasEnded) {
		cell.exits = true;
		endCell(Number(code) & 255);
	}
	throw EXIT;
}

function startServer() {
	const input = new Readable({ read() {} });
	const output = new Writable({ write(piece, encoding, done) { done(); } });

	server = repl.start({ input, output, prompt: '', terminal: false, useGlobal: true, breakEvalOnSigint: true, preview: false });
	server.removeAllListeners('exit');
	server._domain.removeAllListeners('error');
	server._domain.on('error', failLater);
	Object.defineProperty(globalThis, 'display', { value: display, configurable: true, writable: true, enumerable: false });
	process.argv.length = 1;
}

process.exit = exit;
process.on('SIGINT', () => {
	if (cell && server)
		server.emit('SIGINT');
});
process.on('unhandledRejection', failLater);
process.on('exit', () => {
	if (cell && !cell.hasEnded && !process.exitCode)
		process.exitCode = 13; /* as node: a top-level await that was never settled */
});
startServer();
send('Y');
receive(run);
