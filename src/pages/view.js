// A result's page: a file, the files of a job, or the jobs of a session. Where it is, it reads from its own address.
import {byId, formatBytes, make, problemBox, visible} from "./dom.js";
import {fetchText, preview} from "./files.js";
import {showText, textView, viewFor} from "./preview.js";

const [, , session, job, ...rest] = location.pathname.split("/");
const base = `/artifacts/${session}${job ? `/${job}` : ""}`;
const path = rest.join("/");

/** A part of an address as people read it. */
function decoded(text) {
	try {
		return visible(decodeURIComponent(text));
	} catch {
		return text;
	}
}

function encoded(text) {
	return text.split("/").map(encodeURIComponent).join("/");
}

function showPlace() {
	const steps = [[`/artifacts/${session}`, session], job ? [`/artifacts/${session}/${job}`, job] : null, path ? [null, path] : null].filter(Boolean);
	const [, here] = steps.at(-1);
	byId("bar").append(...steps.flatMap(([href, text], index) => [make("span", {class: "trail", "aria-hidden": "true", text: "/"}),
		index + 1 < steps.length ? make("a", {class: "crumb", href: `${href}?view`, text: decoded(text)})
			: make("span", {class: "crumb", id: "crumb", "aria-current": "page", text: decoded(text)})]));
	byId("title").textContent = decoded(here.split("/").pop());
	document.title = `${decoded(here)} · mayfly`;
}

async function ask(address, options) {
	const reply = await fetch(address, options);
	if (!reply.ok)
		throw new Error(reply.status === 404 ? "It does not exist, or no longer." : `The server answered with ${reply.status} ${reply.statusText}.`);
	return reply;
}

function downloadLink(address, name) {
	return make("a", {class: "small", href: address, download: name, text: "Download", "aria-label": `Download ${name}`});
}

/* --- a file ------------------------------------------------------------------------------------ */

/** How a file without a known type is shown: as text, if it is some. */
function guess(file) {
	return !/[\u0000\ufffd]/.test(file.text) ? textView : null;
}

async function fileContent(address, name, type, size) {
	if (size === 0)
		return [make("p", {class: "quiet empty", text: "Empty"})];
	if (type.startsWith("image/")) {
		const figure = await preview({name, path: address}, size);
		return figure ? [make("div", {class: "gallery"}, figure)] : [make("p", {class: "quiet", text: "Too large to be shown."})];
	}
	const isUnknown = type.startsWith("application/octet-stream");
	if (!viewFor(type) && !isUnknown)
		return [make("p", {class: "quiet", text: "Download it to look at it."})];
	const file = await fetchText(address);
	const view = viewFor(type) ?? guess(file);
	if (!view)
		return [make("p", {class: "quiet", text: "This is not text. Download it to look at it."})];
	return showText(view, name, file);
}

async function showFile() {
	const address = `${base}/${path}`;
	const name = decoded(rest.at(-1));
	const head = await ask(address, {method: "HEAD"});
	const type = head.headers.get("Content-Type") ?? "";
	const size = Number(head.headers.get("Content-Length"));
	return [make("div", {class: "summary"}, make("span", {id: "type", text: type.split(";")[0]}), make("span", {class: "size", id: "size", text: formatBytes(size)}),
		make("span", {class: "gap"}), downloadLink(address, name)), ...await fileContent(address, name, type, size)];
}

/* --- lists ------------------------------------------------------------------------------------- */

function row(name, href, detail, ...more) {
	return make("li", {class: "file"}, make("div", {class: "file-line"}, make("a", {class: "file-name", href, text: visible(name)}),
		make("span", {class: "size", text: detail}), ...more));
}

function listOf(rows, what, isCut) {
	return [rows.length ? make("ul", {id: "list"}, ...rows) : make("p", {class: "quiet", text: `There are no ${what}.`}),
		isCut ? make("p", {class: "note", text: "There are more; the list is cut."}) : null].filter(Boolean);
}

async function showJob() {
	const {files, cut} = await (await ask(`${base}?list`)).json();
	return listOf(files.map(({path: name, size}) => row(name, `${base}/${encoded(name)}?view`, formatBytes(size), downloadLink(`${base}/${encoded(name)}`, name.split("/").pop()))),
		"files", cut);
}

async function showSession() {
	const {jobs, cut} = await (await ask(`${base}?list`)).json();
	return listOf(jobs.map(({id, modified}) => row(id, `${base}/${id}?view`, new Date(modified).toLocaleString())), "jobs", cut);
}

async function open() {
	showPlace();
	const content = byId("content");
	try {
		content.replaceChildren(...await (path ? showFile() : job ? showJob() : showSession()));
	} catch (error) {
		content.hidden = true;
		byId("problem").replaceChildren(problemBox("It cannot be shown", [{message: error.message}]));
	} finally {
		content.setAttribute("aria-busy", "false");
	}
}

open();
