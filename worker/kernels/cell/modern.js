/*
 * What the REPL's scripts do not take of JavaScript, as what they take (used by node.js beside this file): static import and export, and a
 * name declared again. The text is read by node's own copy of acorn; what that does not understand stays as it is, for V8 to complain about.
 *
 * Rules
 *  1. Lines keep their numbers, and columns as far as they can.
 *  2. A name declared with let, const, class or import at the top level is declared once, by itself, and assigned wherever a cell declares
 *     it: so an initializer that fails does not lose the name. What is lost instead: such a const may be assigned.
 *  3. Imports come first, as in a module.
 */
'use strict';

const vm = require('vm');

const declared = new Set(); /* by let */
const HELPER = Symbol.for('mayfly.import');
let acorn;

function loadAcorn() {
	const text = process.binding('natives')['internal/deps/acorn/acorn/dist/acorn'];
	const module = { exports: {} };

	vm.compileFunction(text, ['exports', 'module'])(module.exports, module);
	acorn = module.exports;
}

try {
	loadAcorn();
} catch {
	/* a node that has none to be seen: cells are as its REPL takes them */
}

/* What import {name} does: a name that is not there is an error. */
Object.defineProperty(globalThis, HELPER, {
	value: (module, specifier, ...names) => {
		for (const name of names)
			if (!(name in module))
				throw new SyntaxError(`The requested module '${specifier}' does not provide an export named '${name}'`);
		return module;
	},
});
globalThis[HELPER].meta = { get url() { return require('url').pathToFileURL('cell.mjs').href; } };

function parse(text) {
	return acorn.parse(text, {
		ecmaVersion: 'latest', sourceType: 'script', allowAwaitOutsideFunction: true, allowImportExportEverywhere: true, allowHashBang: true,
	});
}

/* The names that a pattern binds. */
function namesOf(pattern, found = []) {
	switch (pattern && pattern.type) {
	case 'Identifier':
		found.push(pattern.name);
		break;
	case 'ObjectPattern':
		for (const property of pattern.properties)
			namesOf(property.value || property.argument, found);
		break;
	case 'ArrayPattern':
		for (const element of pattern.elements)
			namesOf(element, found);
		break;
	case 'RestElement':
		namesOf(pattern.argument, found);
		break;
	case 'AssignmentPattern':
		namesOf(pattern.left, found);
	}
	return found;
}

function declare(names) {
	for (const name of names) {
		if (declared.has(name))
			continue;
		declared.add(name);
		try {
			vm.runInThisContext(`let ${name}`);
		} catch {
			/* there as a var or a function: assigned as well */
		}
	}
}

class Edits {
	constructor(text) {
		this.text = text;
		this.list = [];
		this.imports = '';
	}

	/* Keeps line ends of what goes. */
	replace(start, end, by) {
		this.list.push({ start, end, by: by + this.text.slice(start, end).replace(/[^\n]/g, '') });
	}

	apply() {
		let text = '', at = 0;

		for (const edit of this.list.sort((a, b) => a.start - b.start || a.end - b.end)) {
			text += this.text.slice(at, edit.start) + edit.by;
			at = edit.end;
		}
		return this.imports + text + this.text.slice(at);
	}
}

/* let, const: the keyword goes, and each part with it. */
function assign(edits, node) {
	const keyword = node.kind.length;

	declare(node.declarations.flatMap(({ id }) => namesOf(id)));
	/* a blank of the keyword's takes a bracket, so that columns stay */
	const first = node.declarations[0];
	const isPattern = node.declarations.some(({ id }) => id.type !== 'Identifier');

	edits.replace(node.start, node.start + keyword, `;${' '.repeat(keyword - 1)}`);
	if (isPattern) {
		edits.replace(first.start - 1, first.start, '(');
		edits.replace(node.declarations.at(-1).end, node.declarations.at(-1).end, ')');
	}
	for (const { id, init } of node.declarations)
		if (!init)
			edits.replace(id.end, id.end, '=void 0');
	if (edits.text[node.end - 1] !== ';')
		edits.replace(node.end, node.end, ';');
}

function assignNamed(edits, node) {
	declare([node.id.name]);
	edits.replace(node.start, node.start, `;${node.id.name}=`);
	edits.replace(node.end, node.end, ';');
}

function importOf(node) {
	const specifier = JSON.stringify(node.source.value);
	const named = node.specifiers.filter(({ type }) => type !== 'ImportNamespaceSpecifier');
	const space = node.specifiers.find(({ type }) => type === 'ImportNamespaceSpecifier');
	const nameOf = ({ imported }) => imported ? imported.name ?? imported.value : 'default';
	const wanted = named.map((one) => JSON.stringify(nameOf(one)));
	const pairs = named.map((one, i) => `[${wanted[i]}]:${one.local.name}`);
	const module = `globalThis[Symbol.for('mayfly.import')](${[`await import(${specifier})`, specifier, ...wanted].join()})`;

	declare(node.specifiers.map(({ local }) => local.name));
	return `;(${pairs.length ? `{${pairs}}=` : ''}${space ? `${space.local.name}=` : ''}${module});`;
}

function rewriteTop(edits, node, isFirst) {
	switch (node.type) {
	case 'ImportDeclaration':
		if (isFirst) {
			edits.replace(node.start, node.end, importOf(node));
		} else {
			edits.imports += importOf(node);
			edits.replace(node.start, node.end, '');
		}
		break;
	case 'ExportNamedDeclaration':
	case 'ExportDefaultDeclaration':
		rewriteExport(edits, node);
		break;
	case 'ExportAllDeclaration':
		edits.replace(node.start, node.end, `;await import(${JSON.stringify(node.source.value)});`);
		break;
	case 'VariableDeclaration':
		if (node.kind !== 'var' || node.declarations.some(({ id }) => namesOf(id).some((name) => declared.has(name))))
			assign(edits, node);
		break;
	case 'ClassDeclaration':
		assignNamed(edits, node);
		break;
	case 'FunctionDeclaration':
		if (declared.has(node.id.name))
			assignNamed(edits, node);
		break;
	case 'ForStatement':
	case 'ForInStatement':
	case 'ForOfStatement': {
		const head = node.init || node.left;

		/* a var that is a let of another cell's */
		if (head && head.type === 'VariableDeclaration' && head.kind === 'var' && head.declarations.some(({ id }) => namesOf(id).some((name) => declared.has(name))))
			edits.replace(head.start, head.start + 3, '   ');
	}
	}
}

function rewriteExport(edits, node) {
	const inner = node.declaration;

	if (!inner) {
		edits.replace(node.start, node.end, node.source ? `;await import(${JSON.stringify(node.source.value)});` : '');
		return;
	}
	edits.replace(node.start, inner.start, ' '.repeat(inner.start - node.start));
	if (inner.type.endsWith('Declaration') && (inner.type === 'VariableDeclaration' || inner.id))
		rewriteTop(edits, inner, false);
	else {
		edits.replace(inner.start, inner.start, ';(');
		edits.replace(inner.end, inner.end, ')');
	}
}

/* import.meta, wherever it stands. */
function rewriteMeta(edits, node) {
	if (Array.isArray(node)) {
		for (const one of node)
			rewriteMeta(edits, one);
	} else if (node && typeof node.type === 'string') {
		if (node.type === 'MetaProperty' && node.meta.name === 'import')
			edits.replace(node.start, node.end, `globalThis[Symbol.for('mayfly.import')].meta`);
		else
			for (const value of Object.values(node))
				if (value && typeof value === 'object')
					rewriteMeta(edits, value);
	}
}

/* {text, isSilent: its last statement has no value}, for the REPL. */
exports.rewrite = (text) => {
	let tree;

	try {
		tree = parse(text);
	} catch {
		return { text, isSilent: false };
	}
	const edits = new Edits(text);
	let isFirst = true;

	for (const node of tree.body) {
		isFirst &&= node.type === 'ImportDeclaration' || node.directive !== undefined;
		rewriteTop(edits, node, isFirst);
	}
	if (text.includes('import.meta'))
		rewriteMeta(edits, tree.body);
	const last = tree.body.at(-1);

	return { text: edits.apply(), isSilent: last !== undefined && /Declaration$/.test(last.type) };
};
