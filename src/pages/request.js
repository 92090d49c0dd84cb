// The form of a run, and the request that it makes. Languages and limits are the service's own: they come from its description.
import {ask, currentKey, setKey} from "./client.js";
import {byId, formatBytes, make, recall, remember} from "./dom.js";
import {programs} from "./programs.js";
import {isUntouched} from "./starters.js";

const UPLOAD_MAX_BYTES = 10 * 1024 * 1024;

const limitTitles = {
	timeout_ms: "Wall clock, ms", memory_mb: "Memory, MiB", cpu_ms: "CPU time, ms",
	max_output_bytes: "Output, bytes", max_artifact_bytes: "Artifacts, bytes", max_artifact_files: "Artifacts, files",
};

/** Which field a refusal is about, by its first words. */
const subjects = [
	[/^(missing bearer|invalid) token|^this key/, "key"], [/^unsupported language|^language/, "language"], [/^code/, "code"],
	[/^stdin/, "stdin"], [/^args/, "args"], [/^env/, "env"], [/^(invalid file path|file |files|total file|uploaded file)/, "files"],
];

const fields = {};

function makeField(name, title, input, help) {
	const id = `field-${name}`;
	const error = make("p", {class: "field-error", id: `${id}-error`, hidden: true});
	const note = help ? make("p", {class: "help", id: `${id}-help`, text: help}) : null;
	input.id = id;
	input.setAttribute("aria-describedby", `${note ? `${note.id} ` : ""}${error.id}`);
	fields[name] = {input, error};
	return make("div", {class: "field"}, make("label", {for: id, text: title}), input, note, error);
}

const plain = {spellcheck: "false", autocapitalize: "off", autocorrect: "off"};

function textArea(properties = {}) {
	return make("textarea", {wrap: "off", rows: 3, ...plain, ...properties});
}

/* --- files ------------------------------------------------------------------------------------- */

const uploads = new Set(); // of {id, path: its input}

function countFiles() {
	byId("files-count").textContent = uploads.size || "";
}

async function upload(file) {
	const state = make("span", {class: "size", text: "uploading…"});
	const path = make("input", {type: "text", value: file.name, "aria-label": `Path of ${file.name}`, ...plain});
	const entry = {id: null, path};
	const row = make("li", {class: "upload"}, path, state);
	const remove = () => {
		uploads.delete(entry);
		row.remove();
		countFiles();
		byId("field-files").focus();
	};
	row.append(make("button", {type: "button", class: "small", text: "Remove", "aria-label": `Remove ${file.name}`, on: {click: remove}}));
	byId("uploads").append(row);
	uploads.add(entry);
	countFiles();
	try {
		if (file.size > UPLOAD_MAX_BYTES)
			throw new Error("larger than 10 MiB");
		const form = new FormData();
		form.append("file", file);
		const stored = await ask("POST", "/v1/files", {body: form});
		entry.id = stored.id;
		state.textContent = formatBytes(stored.size);
		state.title = `${stored.id}, SHA-256 ${stored.sha256}`;
	} catch (error) {
		uploads.delete(entry);
		countFiles();
		path.disabled = true;
		state.className = "field-error";
		state.textContent = `not uploaded: ${error.message}`;
	}
}

function buildFiles() {
	const input = byId("field-files");
	fields.files = {input, error: byId("field-files-error")};
	input.addEventListener("change", () => {
		Array.from(input.files).forEach(upload);
		input.value = "";
	});
}

/* --- reading the form --------------------------------------------------------------------------- */

function lines(text) {
	return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

function fail(field, message) {
	throw Object.assign(new Error(message), {field});
}

function readEnvironment() {
	const environment = {};
	lines(fields.env.input.value).forEach((line, index) => {
		const at = line.indexOf("=");
		if (line.trim() === "")
			return;
		if (at < 1)
			fail("env", `Line ${index + 1} must be NAME=value.`);
		environment[line.slice(0, at)] = line.slice(at + 1);
	});
	return environment;
}

/** The limits that are not the defaults. */
function readLimits() {
	const limits = {};
	for (const name of Object.keys(limitTitles)) {
		const input = fields[name]?.input;
		if (!input)
			continue;
		if (input.validity.badInput)
			fail(name, "This must be a number.");
		if (input.value !== "" && input.value !== input.defaultValue)
			limits[name] = input.valueAsNumber;
	}
	return limits;
}

function readFiles() {
	return Array.from(uploads, ({id, path}) => {
		if (!id)
			fail("files", "An upload is still under way.");
		return {id, path: path.value};
	});
}

/** The request as an object; parts that are empty are left out. Throws an Error with .field for what cannot be sent. */
export function readRequest() {
	const request = {language: fields.language.input.value, code: fields.code.input.value};
	const parts = {stdin: fields.stdin.input.value, args: lines(fields.args.input.value), files: readFiles(), env: readEnvironment(),
		limits: readLimits()};
	for (const [name, value] of Object.entries(parts))
		if (value.length ?? Object.keys(value).length)
			request[name] = value;
	remember("run-language", request.language);
	return request;
}

/* --- messages at fields ------------------------------------------------------------------------- */

export function setError(name, message) {
	const {input, error} = fields[name];
	error.textContent = message ?? "";
	error.hidden = !message;
	if (message)
		input.setAttribute("aria-invalid", "true");
	else
		input.removeAttribute("aria-invalid");
}

export function clearErrors() {
	Object.keys(fields).forEach((name) => setError(name, null));
}

/** Puts a message to the field it is about, opens its part and moves there. False when it is about none. */
export function placeError(message, field) {
	const limit = Object.keys(limitTitles).find((name) => message.startsWith(`${name} `));
	const name = field ?? limit ?? subjects.find(([pattern]) => pattern.test(message))?.[1];
	if (!fields[name])
		return false;
	setError(name, message);
	const part = fields[name].input.closest("details");
	if (part)
		part.open = true;
	fields[name].input.focus();
	return true;
}

/* --- building it -------------------------------------------------------------------------------- */

function buildFirst(languages) {
	const key = make("input", {type: "text", class: "secret", autocomplete: "off", placeholder: "If one is needed", value: currentKey(), ...plain});
	const language = make("select", {}, ...languages.map((name) => make("option", {value: name, text: name})));
	language.value = [recall("run-language"), "python", languages[0]].find((name) => languages.includes(name)) ?? "";
	byId("first-fields").append(makeField("key", "Key", key, "Kept until this tab closes."), makeField("language", "Language", language));
	key.addEventListener("input", () => setKey(key.value));
	return {key, language};
}

function buildCode(language) {
	const code = textArea({rows: 15});
	const element = makeField("code", "Code", code);
	element.classList.add("wide");
	byId("code-field").append(element);
	const offer = () => {
		if (isUntouched(code.value, programs))
			code.value = programs[language.value] ?? "";
	};
	language.addEventListener("change", offer);
	offer();
}

function buildLimits(schemas) {
	const inputs = Object.entries(schemas).map(([name, schema]) => {
		const input = make("input", {type: "number", inputmode: "numeric", step: 1, min: schema.minimum, max: schema.maximum, value: schema.default});
		const most = name.endsWith("_bytes") ? formatBytes(schema.maximum) : schema.maximum;
		byId("limits-fields").append(makeField(name, limitTitles[name] ?? name, input, `${schema.minimum} to ${most}`));
		return input;
	});
	byId("limits-part").addEventListener("input", () => {
		const changed = inputs.filter((input) => input.value !== "" && input.value !== input.defaultValue).length;
		byId("limits-count").textContent = changed ? `${changed} changed` : "";
	});
}

function countPart(part, count) {
	byId(`${part}-part`).addEventListener("input", () => { byId(`${part}-count`).textContent = count() || ""; });
}

/** Builds the form from the service's description. keyChanged is called when another key was entered. */
export function buildForm(description, keyChanged) {
	const {RunRequest, RunLimits} = description.components.schemas;
	const {key, language} = buildFirst(RunRequest.properties.language.enum ?? []);
	key.addEventListener("change", keyChanged);
	buildCode(language);
	byId("input-fields").append(makeField("stdin", "Standard input", textArea()),
		makeField("args", "Arguments", textArea(), "One on each line."));
	buildFiles();
	buildLimits(RunLimits.properties);
	byId("env-fields").append(makeField("env", "Variables", textArea({placeholder: "NAME=value"}), "One on each line. HOME, TMPDIR and PATH are set by us; LD_* is dropped."));
	countPart("env", () => lines(fields.env.input.value).filter((line) => line.includes("=")).length);
	countPart("input", () => [fields.stdin, fields.args].filter(({input}) => input.value !== "").length);
}
