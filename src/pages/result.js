// What came of a run: the reply, or why there is none.
import {formatSeconds, make, problemBox, visible} from "./dom.js";
import {fileList, streamView} from "./files.js";

const RAW_MAX_CHARACTERS = 65536;

const timedOut = -1;

function exitBadge(exitCode) {
	const meaning = exitCode === 0 ? "good" : "bad";
	const text = exitCode === timedOut ? "timed out" : `exit ${exitCode}`;
	return make("span", {class: `badge ${meaning}`, id: "exit-code", "data-exit-code": exitCode, text});
}

function hintFor(exitCode) {
	if (exitCode === 137)
		return "Killed (SIGKILL): most often the memory limit.";
	if (exitCode > 128 && exitCode < 160)
		return `Ended by signal ${exitCode - 128}.`;
	return null;
}

function cut(text) {
	return text.length > RAW_MAX_CHARACTERS ? `${text.slice(0, RAW_MAX_CHARACTERS)}\n… ${text.length - RAW_MAX_CHARACTERS} more characters` : text;
}

export function shellQuote(text) {
	return `'${text.replaceAll("'", "'\\''")}'`;
}

function curlCommand(request) {
	return `curl -sS ${shellQuote(new URL(request.path, location.href).href)} \\\n  -H 'Content-Type: application/json' \\\n  -d ${shellQuote(request.body)}`;
}

export function copyButton(text, label) {
	const button = make("button", {type: "button", class: "small", text: "Copy", "aria-label": `Copy ${label}`});
	button.addEventListener("click", async () => {
		try {
			await navigator.clipboard.writeText(text);
			button.textContent = "Copied";
		} catch {
			button.textContent = "Select and copy it by hand";
		}
	});
	return button;
}

export function rawBlock(title, text, name) {
	return make("section", {class: "raw"},
		make("div", {class: "stream-head"}, make("h4", {text: title}), make("span", {class: "gap"}), copyButton(text, title)),
		make("pre", {class: "output", tabindex: "0", role: "region", "aria-label": title, "data-raw": name, text: cut(text)}));
}

/** Request and reply as they went over the wire, folded away. */
function rawExchange(request, reply) {
	return make("details", {class: "exchange"}, make("summary", {text: "Request and reply"}),
		rawBlock("As a curl command", curlCommand(request), "curl"),
		rawBlock("Request", `POST ${request.path}\nContent-Type: application/json\n\n${JSON.stringify(JSON.parse(request.body), null, 2)}`, "request"),
		reply ? rawBlock("Reply", `${reply.status} ${reply.statusText}\n\n${reply.value === undefined ? visible(reply.text) : JSON.stringify(reply.value, null, 2)}`, "reply") : null);
}

/** A finished program. */
export function renderRun(request, reply) {
	const run = reply.value;
	const outputs = run.artifacts?.outputs ?? {};
	const others = Object.fromEntries(Object.entries(outputs).filter(([name]) => name !== "stdout" && name !== "stderr"));
	const hint = hintFor(run.exitCode);
	return [
		make("div", {class: "summary"}, exitBadge(run.exitCode),
			make("span", {id: "duration", text: formatSeconds(reply.milliseconds)}),
			make("span", {class: "quiet"}, "job ", make("code", {id: "job-id", text: run.id}))),
		hint ? make("p", {class: "note", text: hint}) : null,
		streamView("stdout", run.stdout ?? "", run.stdoutTrimmed === true, outputs.stdout),
		streamView("stderr", run.stderr ?? "", run.stderrTrimmed === true, outputs.stderr),
		fileList("Outputs", others),
		fileList("Inputs", run.artifacts?.inputs ?? {}),
		rawExchange(request, reply),
	].filter(Boolean);
}

function detailsOf(value) {
	if (Array.isArray(value?.details))
		return value.details.map((issue) => ({field: issue.path?.join("."), message: issue.message ?? JSON.stringify(issue)}));
	const details = [value?.details, value?.message].filter((text) => typeof text === "string").map((message) => ({message}));
	if (Array.isArray(value?.availableTools))
		details.push({message: `Tools: ${value.availableTools.join(", ")}`});
	return details;
}

/** An answer that is not a run. Returns the elements and the messages that belong to fields. */
export function renderRefusal(request, reply) {
	const details = detailsOf(reply.value);
	if (reply.retryAfter)
		details.push({message: `Try again in ${reply.retryAfter} s.`});
	if (details.length === 0 && reply.value === undefined)
		details.push({message: "The reply is not JSON: see below."});
	const title = typeof reply.value?.error === "string" ? reply.value.error : reply.statusText || "The request failed";
	return {
		fields: details.filter((detail) => detail.field),
		elements: [
			make("div", {class: "summary"}, make("span", {class: "badge bad", id: "http-status", text: `HTTP ${reply.status}`}),
				make("span", {id: "duration", text: formatSeconds(reply.milliseconds)})),
			problemBox(title, details), rawExchange(request, reply)],
	};
}

/** No answer at all. */
export function renderFailure(request, title, message) {
	return [make("div", {class: "summary"}, make("span", {class: "badge bad", text: "no answer"})),
		problemBox(title, [{message}]), rawExchange(request, null)];
}
