// Looking into an artifact: a table, a folded tree, or text. Rule: what a program wrote becomes text nodes, never markup.
import {formatBytes, make, visible} from "./dom.js";

const ROWS_MAX = 200;
const COLUMNS_MAX = 40;
const CHILDREN_MAX = 200;

/** Rows of cells (RFC 4180), as many as are shown. */
export function parseTable(text, separator, rowsMax = ROWS_MAX) {
	const rows = [[]];
	let cell = "", quoted = false, at = 0;
	const endCell = () => {
		rows.at(-1).push(cell);
		cell = "";
	};
	for (; at < text.length && rows.length <= rowsMax; at++) {
		const character = text[at];
		if (quoted) {
			if (character !== '"')
				cell += character;
			else if (text[at + 1] === '"')
				cell += text[++at];
			else
				quoted = false;
		} else if (character === '"' && cell === "") {
			quoted = true;
		} else if (character === separator) {
			endCell();
		} else if (character === "\n") {
			cell = cell.replace(/\r$/, "");
			endCell();
			rows.push([]);
		} else {
			cell += character;
		}
	}
	if (cell !== "" || rows.at(-1).length)
		endCell();
	return {rows: rows.filter((row) => row.length), cut: at < text.length};
}

function tableView(name, text) {
	const head = text.slice(0, text.indexOf("\n") + 1 || undefined);
	const separator = /\.tsv$/i.test(name) ? "\t" : head.split(";").length > head.split(",").length ? ";" : ",";
	const {rows, cut} = parseTable(text, separator);
	const cells = (row, tag, properties) => row.slice(0, COLUMNS_MAX).map((cell) => make(tag, {...properties, text: visible(cell)}));
	const [first, ...others] = rows;
	const wide = rows.some((row) => row.length > COLUMNS_MAX);
	return [
		make("div", {class: "table", tabindex: "0", role: "region", "aria-label": name}, make("table", {},
			make("thead", {}, make("tr", {}, ...cells(first ?? [], "th", {scope: "col"}))),
			make("tbody", {}, ...others.map((row) => make("tr", {}, ...cells(row, "td", {})))))),
		cut || wide ? make("p", {class: "note", text: `The first ${Math.min(rows.length, ROWS_MAX)} rows${wide ? ` and ${COLUMNS_MAX} columns` : ""}. Download it to have the rest.`}) : null,
	];
}

function labelled(name, ...content) {
	return name === null ? content : [make("span", {class: "tree-name", text: visible(name)}), ": ", ...content];
}

/** A value and, when its fold is opened, what is in it. */
function treeNode(name, value, isOpen) {
	if (value === null || typeof value !== "object")
		return make("span", {}, ...labelled(name, visible(JSON.stringify(value))));
	const entries = Object.entries(value);
	const isList = Array.isArray(value);
	const size = `${entries.length} ${isList ? (entries.length === 1 ? "item" : "items") : entries.length === 1 ? "field" : "fields"}`;
	if (entries.length === 0)
		return make("span", {}, ...labelled(name, isList ? "[]" : "{}"));
	const fold = make("details", {}, make("summary", {}, ...labelled(name, make("span", {class: "quiet", text: isList ? `[${size}]` : `{${size}}`}))));
	const fill = () => {
		if (!fold.open || fold.querySelector("ul"))
			return;
		fold.append(make("ul", {}, ...entries.slice(0, CHILDREN_MAX).map(([key, child]) => make("li", {}, treeNode(key, child, false))),
			entries.length > CHILDREN_MAX ? make("li", {class: "quiet", text: `… ${entries.length - CHILDREN_MAX} more`}) : null));
	};
	fold.addEventListener("toggle", fill);
	fold.open = isOpen;
	fill();
	return fold;
}

export function textView(name, text) {
	return [make("pre", {class: "output", tabindex: "0", role: "region", "aria-label": name, text: visible(text)})];
}

function treeView(name, text) {
	try {
		return [make("div", {class: "tree", tabindex: "0", role: "region", "aria-label": name}, treeNode(null, JSON.parse(text), true))];
	} catch {
		return textView(name, text);
	}
}

const views = [
	[/^text\/(csv|tab-separated-values)\b/, tableView], [/^application\/([a-z.]+\+)?json\b/, treeView],
	[/^text\/|^application\/(jsonl|sql|toml|yaml|[a-z]+\+xml)\b|^image\/svg/, textView],
];

/** How an artifact of that media type is looked into; undefined when it can only be downloaded. */
export function viewFor(contentType) {
	return views.find(([pattern]) => pattern.test(contentType))?.[1];
}

/** The elements that show a file's text. file: {text, size, cut}. */
export function showText(view, name, file) {
	return [...view(name, file.text), file.cut ? make("p", {class: "note", text: `The beginning of ${formatBytes(file.size)}. Download it to have the rest.`}) : null].filter(Boolean);
}
