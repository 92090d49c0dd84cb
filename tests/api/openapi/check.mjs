// Holds descriptions (OpenAPI 3.1) against the specification, and replies against their description. JSON on standard input:
//
//     [{"document": a description, "replies": [{"path","method","status","type","body"}, …]}, …]      path as it stands in the description
//
// Prints what is wrong with each, [[text, …], …], and exits with 0; with anything else when it could not look.
// A reply may hold no field that is not described: every schema of an object that does not say otherwise is closed.
import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";

const modules = createRequire(pathToFileURL(`${process.argv[2]}/`));
const {Validator} = await import(pathToFileURL(modules.resolve("@seriousme/openapi-schema-validator")));
const Ajv = modules("ajv/dist/2020").default;
const addFormats = modules("ajv-formats").default;

const validator = new Validator();

function close(value) {
	if (Array.isArray(value))
		return value.forEach(close);
	if (value === null || typeof value !== "object")
		return;
	Object.values(value).forEach(close);
	if (value.type === "object" && value.properties && !("additionalProperties" in value))
		value.additionalProperties = false;
}

function pointer(...parts) {
	return parts.map((part) => `/${part.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function problemOf(ajv, closed, {path, method, status, type, body}) {
	const responses = closed.paths[path]?.[method]?.responses;
	let name = responses && (status in responses ? String(status) : "default");
	let place = responses && pointer("paths", path, method, "responses", name);
	let response = responses?.[name];
	if (response?.$ref) {
		place = response.$ref.slice(1);
		response = closed.components.responses[place.split("/").pop()];
	}
	if (!response?.content?.[type])
		return "is not described";
	const validate = ajv.compile({$ref: `file:///description#${place}${pointer("content", type, "schema")}`});
	return validate(body) ? null : ajv.errorsText(validate.errors);
}

async function faults({document, replies}) {
	const errors = [];
	const result = await validator.validate(structuredClone(document));
	if (!result.valid)
		errors.push(`the description is not valid: ${JSON.stringify(result.errors)}`);

	const closed = structuredClone(document);
	close(closed.components.schemas);
	for (const path of Object.values(closed.paths))
		for (const {responses} of Object.values(path))
			close(responses);
	close(closed.components.responses);

	const ajv = new Ajv({strict: false, allErrors: true});
	addFormats(ajv);
	ajv.addSchema({$id: "file:///description", ...closed});

	// The specification's own schema says nothing of what is in a schema (its dialect is free), so each is held against JSON Schema 2020-12.
	for (const [name, schema] of Object.entries(document.components.schemas)) {
		if (!ajv.validateSchema(schema)) {
			errors.push(`the schema ${name} is not valid: ${ajv.errorsText()}`);
			continue;
		}
		try {
			ajv.compile({$ref: `file:///description#/components/schemas/${name}`});
		} catch (error) {
			errors.push(`the schema ${name} cannot be used: ${error.message}`);
		}
	}

	for (const reply of replies) {
		const problem = problemOf(ajv, closed, reply);
		if (problem)
			errors.push(`${reply.method} ${reply.path} ${reply.status} ${reply.type}: ${problem}: ${JSON.stringify(reply.body).slice(0, 300)}`);
	}
	return errors;
}

const found = [];
for (const one of JSON.parse(readFileSync(0, "utf8")))
	found.push(await faults(one));
console.log(JSON.stringify(found));
