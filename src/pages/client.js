// Talking to the service: the key, requests, server-sent events.

const KEY_NAME = "mayfly.key";

/** The key lives as long as the tab, and nowhere else. */
let key = "";
try {
	key = sessionStorage.getItem(KEY_NAME) ?? "";
} catch {
	// Storage is off: the key lives as long as the page.
}

export function currentKey() {
	return key;
}

export function setKey(text) {
	key = text.trim();
	try {
		if (key)
			sessionStorage.setItem(KEY_NAME, key);
		else
			sessionStorage.removeItem(KEY_NAME);
	} catch {
		// See above.
	}
}

function parse(text) {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

/** A request with the key. Throws what fetch(3) throws. Its answer's body has not been read. */
export function send(method, path, {body, accept = "application/json", type, signal, headers = {}} = {}) {
	const fields = {Accept: accept, ...headers};
	if (key)
		fields.Authorization = `Bearer ${key}`;
	if (type)
		fields["Content-Type"] = type;
	return fetch(path, {method, headers: fields, body, signal, cache: "no-store"});
}

/** What went wrong, as the service says it, or what can be said without. */
export function refusalOf(reply, value) {
	const message = typeof value?.error === "string" ? value.message ?? value.error : `${reply.status} ${reply.statusText}`;
	const wait = reply.headers.get("Retry-After");
	return Object.assign(new Error(message), {status: reply.status, wait});
}

/** A request whose answer is JSON. Throws an Error, with .status when there was an answer. */
export async function ask(method, path, options) {
	const reply = await send(method, path, options);
	const value = parse(await reply.text());
	if (!reply.ok || value === undefined)
		throw refusalOf(reply, value);
	return value;
}

/** The events of a stream as they come: {name, value}. Comments are passed over. */
async function* readEvents(body) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";
	for (;;) {
		const {value, done} = await reader.read();
		if (done)
			return;
		const blocks = (rest + value).split(/\r?\n\r?\n/);
		rest = blocks.pop();
		for (const block of blocks) {
			const event = {name: "message", value: undefined};
			for (const line of block.split(/\r?\n/)) {
				if (line.startsWith("event:"))
					event.name = line.slice(6).trim();
				else if (line.startsWith("data:"))
					event.value = parse(line.slice(5));
			}
			if (event.value !== undefined)
				yield event;
		}
	}
}

/** Runs a program; hear(name, value) gets what happens meanwhile, where the service streams. Returns the record; throws as ask does, and an Error with .title for
    what goes wrong once events have come. */
export async function runProgram(body, signal, hear) {
	const reply = await send("POST", "/v1/runs", {body, type: "application/json", accept: "text/event-stream, application/json", signal});
	if (!reply.ok || !reply.headers.get("Content-Type")?.startsWith("text/event-stream")) {
		const value = parse(await reply.text());
		if (!reply.ok || value === undefined)
			throw refusalOf(reply, value);
		return value;
	}
	for await (const {name, value} of readEvents(reply.body)) {
		if (name === "result")
			return value;
		if (name === "error")
			throw Object.assign(new Error(value.error ?? "no reason was given"), {title: "The run could not be finished"});
		hear(name, value);
	}
	throw Object.assign(new Error("The connection ended before the result."), {title: "The run was lost"});
}
