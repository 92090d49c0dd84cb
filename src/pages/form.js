// The form of a tool, built from the JSON Schemas of its parameters. Checking is the server's: its messages are shown at the fields.
import {byId, make, recall, remember} from "./dom.js";
import {isUntouched, starters} from "./starters.js";

/** What every tool takes, should its parameters not name them. */
const common = {
	sessionId: {type: "string", title: "Session", description: "Results are kept under this name."},
	timeout: {type: "integer", title: "Timeout, in seconds", default: 30, minimum: 1, maximum: 900},
};

function randomSession() {
	const bytes = crypto.getRandomValues(new Uint8Array(5));
	return `debug-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function isLong(schema) {
	return schema.format === "code" || schema.contentEncoding === "base64";
}

/** A picked file as base64. */
function readFile(file) {
	return new Promise((resolve, reject) => {
		const reader = new FileReader();
		reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
		reader.onerror = () => reject(new Error(`${file.name} cannot be read`));
		reader.readAsDataURL(file);
	});
}

/** A control and how its value is read: undefined means that the request leaves the field out. */
function makeControl(schema) {
	const optional = "default" in schema;
	const text = (input) => () => (input.value === "" && optional ? undefined : input.value);
	if (schema.enum) {
		const input = make("select", {}, ...schema.enum.map((value) => make("option", {value, text: String(value), selected: value === schema.default})));
		return {input, read: () => schema.enum[input.selectedIndex]};
	}
	if (schema.contentEncoding === "base64") {
		const input = make("input", {type: "file"});
		const upload = make("input", {type: "text", spellcheck: "false", autocapitalize: "off", autocorrect: "off", placeholder: "or the id of an upload: file_…"});
		return {input, upload, read: () => (input.files.length ? readFile(input.files[0]) : upload.value || (optional ? undefined : ""))};
	}
	if (schema.type === "boolean") {
		const input = make("input", {type: "checkbox", checked: schema.default === true});
		return {input, read: () => input.checked};
	}
	if (schema.type === "integer" || schema.type === "number") {
		const input = make("input", {type: "number", inputmode: "numeric", min: schema.minimum, max: schema.maximum,
			step: schema.type === "integer" ? 1 : "any", value: schema.default});
		return {input, read: () => (input.value === "" ? undefined : input.valueAsNumber)};
	}
	if (isLong(schema)) {
		const input = make("textarea", {rows: 15, spellcheck: "false", autocapitalize: "off", autocorrect: "off", wrap: "off",
			placeholder: schema.examples?.[0]});
		return {input, read: text(input)};
	}
	const input = make("input", {type: "text", spellcheck: "false", autocapitalize: "off", autocorrect: "off", placeholder: schema.default});
	return {input, read: text(input)};
}

function makeField(name, schema) {
	const {input, read, upload} = makeControl(schema);
	const id = `field-${name}`;
	const hint = schema.description ? make("p", {class: "help", id: `${id}-help`, text: schema.description}) : null;
	const error = make("p", {class: "field-error", id: `${id}-error`, hidden: true});
	input.id = id;
	input.name = name;
	input.setAttribute("aria-describedby", `${hint ? `${hint.id} ` : ""}${error.id}`);
	const element = make("div", {class: `field${isLong(schema) ? " wide" : ""}`},
		make("label", {for: id, text: schema.title ?? name}), input, upload, hint, error);
	if (upload) {
		upload.id = `${id}-upload`;
		upload.setAttribute("aria-label", `${schema.title ?? name}: the id of an upload`);
	}
	return {
		name, input, read, element,
		setError(message) {
			error.textContent = message ?? "";
			error.hidden = !message;
			if (message)
				input.setAttribute("aria-invalid", "true");
			else
				input.removeAttribute("aria-invalid");
		},
	};
}

/** The session's field gets a button that makes up a new one. */
function addRenew(field) {
	const button = make("button", {type: "button", class: "small", text: "New", "aria-label": "New session",
		on: {click: () => { field.input.value = randomSession(); field.input.focus(); }}});
	const row = make("div", {class: "joined"});
	field.input.replaceWith(row);
	row.append(field.input, button);
}

/** Untouched code follows the language; a picked file fills in an empty filename. */
function connectFields(fields) {
	const {language, code, filename} = fields;
	if (language && code) {
		const offer = () => {
			if (isUntouched(code.input.value))
				code.input.value = starters[language.input.value] ?? "";
		};
		language.input.addEventListener("change", offer);
		offer();
	}
	for (const field of Object.values(fields))
		if (field.input.type === "file" && filename)
			field.input.addEventListener("change", () => {
				filename.input.value = field.input.files[0]?.name ?? "";
			});
}

/** What was used last, on this browser. */
function restore(fields) {
	fields.sessionId.input.value = recall("session") || randomSession();
	const language = recall("language");
	if (fields.language && Array.from(fields.language.input.options ?? []).some((option) => option.value === language))
		fields.language.input.value = language;
}

/** Builds the form into the page. Returns {read, clearErrors, setError}. */
export function buildForm(parameters) {
	const schemas = {...common, ...parameters};
	const names = [...Object.keys(parameters), ...Object.keys(common).filter((name) => !(name in parameters))];
	const fields = {};
	for (const name of names) {
		fields[name] = makeField(name, {...common[name], ...schemas[name]});
		byId(isLong(schemas[name]) ? "long-fields" : "short-fields").append(fields[name].element);
	}
	addRenew(fields.sessionId);
	restore(fields);
	connectFields(fields);
	return {
		/** The values as the request has them. Throws an Error with .field for what cannot be sent. */
		async read() {
			const values = {};
			for (const name of ["sessionId", ...names.filter((name) => name !== "sessionId")]) {
				try {
					const value = await fields[name].read();
					if (value !== undefined)
						values[name] = value;
				} catch (error) {
					throw Object.assign(new Error(error.message), {field: name});
				}
			}
			remember("session", values.sessionId);
			if (typeof values.language === "string")
				remember("language", values.language);
			return values;
		},
		clearErrors() {
			Object.values(fields).forEach((field) => field.setError(null));
		},
		/** Shows a message at a field and puts the cursor there; false when there is no such field. */
		setError(name, message) {
			fields[name]?.setError(message);
			return name in fields;
		},
		focus(name) {
			fields[name]?.input.focus();
		},
	};
}
