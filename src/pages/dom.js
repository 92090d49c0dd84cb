// Small helpers of the pages. Rule: text becomes text nodes, never markup.

/** An element with properties (class, text, on: {event: handler}, anything else an attribute) and children. */
export function make(tag, properties = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(properties)) {
		if (value === undefined || value === null || value === false)
			continue;
		if (name === "text")
			element.textContent = value;
		else if (name === "on")
			for (const [event, handler] of Object.entries(value))
				element.addEventListener(event, handler);
		else
			element.setAttribute(name, value === true ? "" : String(value));
	}
	element.append(...children.filter((child) => child !== null && child !== undefined));
	return element;
}

export function byId(id) {
	return document.getElementById(id);
}

export function formatBytes(bytes) {
	const units = ["bytes", "KiB", "MiB", "GiB"];
	let value = bytes, unit = 0;
	while (value >= 1024 && unit < units.length - 1) {
		value /= 1024;
		unit++;
	}
	if (unit === 0)
		return bytes === 1 ? "1 byte" : `${bytes} bytes`;
	return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function formatSeconds(milliseconds) {
	const seconds = milliseconds / 1000;
	return `${seconds < 1 ? seconds.toFixed(3) : seconds < 60 ? seconds.toFixed(2) : seconds.toFixed(1)} s`;
}

/** Control characters made visible: an escape code must not act on whoever copies it, and must be seen. */
export function visible(text) {
	return text.replaceAll("\r\n", "\n").replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, (character) =>
		String.fromCharCode(character === "\u007f" ? 0x2421 : 0x2400 + character.charCodeAt(0)));
}

/** The last value kept under a name; undefined where storage is off. */
export function recall(name) {
	try {
		return localStorage.getItem(`mayfly.${name}`) ?? undefined;
	} catch {
		return undefined;
	}
}

export function remember(name, value) {
	try {
		localStorage.setItem(`mayfly.${name}`, value);
	} catch {
		// Storage is off or full: nothing depends on it.
	}
}

/** A box that says what went wrong: a title, then details (text, or a list of {field, message}). */
export function problemBox(title, details = []) {
	const list = details.map((detail) => make("li", {}, detail.field
		? make("code", {text: detail.field}) : null, detail.field ? ` ${detail.message}` : detail.message));
	return make("div", {class: "problem"}, make("strong", {text: title}), list.length ? make("ul", {}, ...list) : null);
}

/** The tools as the server tells them; throws an Error whose message may be shown. */
export async function fetchTools() {
	let reply;
	try {
		reply = await fetch("/tools", {headers: {Accept: "application/json"}});
	} catch {
		throw new Error("The server cannot be reached. Is it still running?");
	}
	if (!reply.ok)
		throw new Error(`GET /tools was answered with ${reply.status} ${reply.statusText}`);
	return reply.json();
}

export function toolPath(name) {
	return `/debug/${name.replaceAll("_", "-")}`;
}
