// A run's artifacts: links, previews. A link is good for some minutes; an older one is asked for again.
import {ask} from "./client.js";
import {formatBytes, make} from "./dom.js";
import {fetchText, preview} from "./files.js";
import {showText, viewFor} from "./preview.js";

const IMAGE = /^image\//;
const IMAGE_MAX_COUNT = 12;
const EARLY_MS = 5000;
const FILES_PATH = "/v1/files/";

/** Where an artifact lies, asked of this origin, whatever name the service gave itself (a proxy may stand between). */
function locate(artifact) {
	const {pathname, search} = new URL(artifact.url, location.href);
	return pathname.slice(Math.max(0, pathname.indexOf(FILES_PATH))) + search;
}

function isExpired(artifact) {
	return Date.parse(artifact.expires_at) - EARLY_MS < Date.now();
}

/** The artifact's path under a signature that is still good. */
async function freshPath(record, index) {
	if (isExpired(record.artifacts[index]))
		record.artifacts = (await ask("GET", `/v1/runs/${record.id}`)).artifacts;
	return locate(record.artifacts[index]);
}

function downloadLink(record, index, className, text, label) {
	const {name} = record.artifacts[index];
	const link = make("a", {class: className, href: locate(record.artifacts[index]), download: name, text, "aria-label": label});
	link.addEventListener("click", async (event) => {
		if (!isExpired(record.artifacts[index]))
			return;
		event.preventDefault();
		try {
			link.href = await freshPath(record, index);
			link.click();
		} catch (error) {
			link.after(make("span", {class: "field-error", text: error.message}));
		}
	});
	return link;
}

/** View: beneath its row. */
function viewButton(record, index, row) {
	const {name, content_type: type} = record.artifacts[index];
	const button = make("button", {type: "button", class: "small", text: "View", "aria-expanded": "false", "aria-label": `View ${name}`});
	let shown = null;
	button.addEventListener("click", async () => {
		if (shown) {
			shown.remove();
			shown = null;
		} else {
			const mine = shown = make("div", {class: "view"}, make("p", {class: "note", text: "Loading…"}));
			row.append(mine);
			try {
				mine.replaceChildren(...showText(viewFor(type), name, await fetchText(await freshPath(record, index))));
			} catch (error) {
				mine.replaceChildren(make("p", {class: "field-error", text: `${name} could not be loaded: ${error.message}`}));
			}
		}
		button.setAttribute("aria-expanded", String(shown !== null));
		button.textContent = shown ? "Hide" : "View";
	});
	return button;
}

async function addImages(record, gallery) {
	const images = Array.from(record.artifacts.keys()).filter((index) => IMAGE.test(record.artifacts[index].content_type));
	for (const index of images.slice(0, IMAGE_MAX_COUNT)) {
		try {
			const {name, size} = record.artifacts[index];
			const figure = await preview({name, path: await freshPath(record, index)}, size);
			if (figure)
				gallery.append(figure);
		} catch {
			// Its link is in the list.
		}
	}
}

/** The list of a record's artifacts; null when there are none. */
export function artifactList(record) {
	if (record.artifacts.length === 0)
		return null;
	const gallery = make("div", {class: "gallery"});
	const rows = record.artifacts.map((artifact, index) => {
		const row = make("li", {class: "file"});
		row.append(make("div", {class: "file-line"}, downloadLink(record, index, "file-name", artifact.name, `Download ${artifact.name}`),
			make("span", {class: "size", title: `${artifact.content_type}, SHA-256 ${artifact.sha256}`, text: formatBytes(artifact.size)}),
			viewFor(artifact.content_type) ? viewButton(record, index, row) : null));
		return row;
	});
	addImages(record, gallery);
	return make("section", {class: "files"}, make("h3", {text: "Artifacts"}), make("ul", {id: "artifacts"}, ...rows), gallery);
}
