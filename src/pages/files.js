// A run's files: lists with links, image previews, and the viewer of text.
import {formatBytes, make, visible} from "./dom.js";

const IMAGE = /\.(png|jpe?g|gif|webp|avif|bmp|svg)$/i;
const TEXT = /\.(txt|log|csv|tsv|json|jsonl|md|py|js|mjs|ts|sh|rb|php|go|rs|c|h|cpp|java|html?|css|xml|svg|ya?ml|toml|ini|sql|diff|patch|rst|tex)$/i;
const PREVIEW_MAX_BYTES = 8 * 1024 * 1024;
const PREVIEW_MAX_COUNT = 12;
const VIEW_MAX_BYTES = 2 * 1024 * 1024;
const SIZES_AT_ONCE = 4;
const SIZES_MAX_COUNT = 64;

/** Where a file of the reply lies. Asked of this origin, whatever name the server gave itself (a proxy may stand between). */
export function locate(url) {
	const parsed = new URL(url, location.href);
	return parsed.pathname.startsWith("/artifacts/") ? parsed.pathname + parsed.search : null;
}

/** The first bytes of a file as text. Returns {text, size, cut}. */
export async function fetchText(path) {
	const reply = await fetch(path, {headers: {Range: `bytes=0-${VIEW_MAX_BYTES - 1}`}});
	if (!reply.ok)
		throw new Error(`answered with ${reply.status} ${reply.statusText}`);
	const bytes = await reply.arrayBuffer();
	const size = Number(reply.headers.get("Content-Range")?.split("/")[1] ?? bytes.byteLength);
	return {text: new TextDecoder().decode(bytes), size, cut: size > bytes.byteLength};
}

async function fetchSize(path) {
	const reply = await fetch(path, {method: "HEAD"});
	return reply.ok ? Number(reply.headers.get("Content-Length")) : null;
}

/** A captured stream: what the reply holds at once, all of it on demand. */
export function streamView(name, text, trimmed, url) {
	const path = url ? locate(url) : null;
	const body = make("pre", {class: "output", tabindex: "0", role: "region", "aria-label": name, text: visible(text)});
	const size = make("span", {class: "quiet", text: trimmed ? "" : formatBytes(new TextEncoder().encode(text).length)});
	const note = make("p", {class: "note", role: "status"});
	const whole = make("button", {type: "button", class: "small", text: "Show all", on: {click: async () => {
		try {
			const all = await fetchText(path);
			body.textContent = visible(all.text);
			size.textContent = formatBytes(all.size);
			note.textContent = all.cut ? `The first ${formatBytes(VIEW_MAX_BYTES)} of ${formatBytes(all.size)}. Download it to have the rest.` : "";
			whole.remove();
		} catch (error) {
			note.textContent = `${name} could not be loaded: ${error.message}`;
		}
	}}});
	if (trimmed)
		note.textContent = `The first ${formatBytes(new TextEncoder().encode(text).length)}.`;
	return make("section", {class: "stream", "data-stream": name},
		make("div", {class: "stream-head"}, make("h3", {text: name}), size, make("span", {class: "gap"}),
			trimmed && path ? whole : null,
			path ? make("a", {class: "small", href: path, download: name, text: "Download", "aria-label": `Download ${name}`}) : null),
		text === "" ? make("p", {class: "quiet empty", text: "Empty"}) : body, note);
}

/** View: a text file, beneath its row. */
function viewButton(name, path, row) {
	const button = make("button", {type: "button", class: "small", text: "View", "aria-expanded": "false", "aria-label": `View ${name}`});
	let view = null;
	button.addEventListener("click", async () => {
		if (view) {
			view.remove();
			view = null;
		} else {
			view = make("pre", {class: "output", tabindex: "0", role: "region", "aria-label": name, text: "Loading…"});
			const mine = view;
			row.append(view);
			try {
				const file = await fetchText(path);
				mine.textContent = visible(file.text) + (file.cut ? `\n… ${formatBytes(file.size)} in all` : "");
			} catch (error) {
				mine.textContent = `${name} could not be loaded: ${error.message}`;
			}
		}
		button.setAttribute("aria-expanded", String(view !== null));
		button.textContent = view ? "Hide" : "View";
	});
	return button;
}

function fileRow(name, url) {
	const path = locate(url);
	const size = make("span", {class: "size"});
	const row = make("li", {class: "file"});
	row.append(make("div", {class: "file-line"},
		path ? make("a", {class: "file-name", href: path, download: name.split("/").pop(), text: name})
			: make("span", {class: "file-name", text: name}),
		size, path && TEXT.test(name) ? viewButton(name, path, row) : null,
		path ? make("a", {class: "small", href: `${path}?view`, text: "Open", "aria-label": `Open ${name}`}) : null));
	return {name, path, row, size};
}

/** An image: fetched and shown from memory, so that it is shown whatever its Content-Disposition says. */
export async function preview({name, path}, bytes) {
	if (bytes > PREVIEW_MAX_BYTES)
		return null;
	const reply = await fetch(path);
	const blob = await reply.blob();
	if (!reply.ok || !blob.type.startsWith("image/"))
		return null;
	const url = URL.createObjectURL(blob);
	const image = make("img", {src: url, alt: name, on: {load: () => URL.revokeObjectURL(url)}});
	image.addEventListener("error", () => image.replaceWith(make("span", {class: "quiet", text: "not an image a browser can show"})));
	return make("figure", {}, image, make("figcaption", {text: name}));
}

/** Sizes and previews arrive after the list: a few requests at a time. */
async function complete(rows, gallery) {
	const queue = rows.filter((row) => row.path).slice(0, SIZES_MAX_COUNT);
	let previews = 0;
	const work = async () => {
		for (let row = queue.shift(); row; row = queue.shift()) {
			const bytes = await fetchSize(row.path).catch(() => null);
			if (bytes === null) {
				row.size.textContent = "gone";
				continue;
			}
			row.size.textContent = formatBytes(bytes);
			if (IMAGE.test(row.name) && previews++ < PREVIEW_MAX_COUNT) {
				const figure = await preview(row, bytes).catch(() => null);
				if (figure)
					gallery.append(figure);
			}
		}
	};
	await Promise.all(Array.from({length: SIZES_AT_ONCE}, work));
}

/** A list of files with its heading; null when there are none. */
export function fileList(title, files) {
	const rows = Object.entries(files).map(([name, url]) => fileRow(name, url));
	if (rows.length === 0)
		return null;
	const gallery = make("div", {class: "gallery"});
	complete(rows, gallery);
	return make("section", {class: "files"}, make("h3", {text: title}),
		make("ul", {"data-files": title.toLowerCase()}, ...rows.map(({row}) => row)), gallery);
}
