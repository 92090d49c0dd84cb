// A run: while it goes on, and its record.
import {artifactList} from "./artifacts.js";
import {formatBytes, formatSeconds, make, problemBox, visible} from "./dom.js";
import {copyButton, rawBlock, shellQuote} from "./result.js";

const statusTexts = {succeeded: "succeeded", failed: "failed", timeout: "timed out", oom: "out of memory", killed: "killed"};
const NEARLY = 0.9; // of a limit

export function statusBadge(status) {
	return make("span", {class: `badge ${status === "succeeded" ? "good" : "bad"}`, "data-status": status, text: statusTexts[status] ?? status});
}

export function formatTime(text) {
	return new Date(text).toLocaleString(undefined, {month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit"});
}

/* --- usage -------------------------------------------------------------------------------------- */

function byteLength(text) {
	return new TextEncoder().encode(text).length;
}

/** One bar: what was used of a limit. */
function usageRow(name, title, used, limit, format = String) {
	return make("div", {"data-usage": name},
		make("div", {class: "usage-line"}, make("span", {text: title}), make("span", {class: "usage-value", text: `${format(used)} of ${format(limit)}`})),
		make("meter", {min: 0, max: Math.max(limit, 1), high: Math.max(limit, 1) * NEARLY, optimum: 0, value: used, "aria-label": `${title}: ${format(used)} of ${format(limit)}`}));
}

function usageView({usage, limits, stdout, stderr, artifacts}) {
	const output = Math.max(byteLength(stdout), byteLength(stderr));
	const size = artifacts.reduce((sum, artifact) => sum + artifact.size, 0);
	const milliseconds = (value) => `${value} ms`;
	return make("section", {class: "usage", id: "usage", "aria-label": "Usage"},
		usageRow("timeout_ms", "Wall clock", usage.wall_ms, limits.timeout_ms, milliseconds),
		usageRow("cpu_ms", "CPU time", usage.cpu_ms, limits.cpu_ms, milliseconds),
		usageRow("memory_mb", "Memory", usage.max_rss_mb, limits.memory_mb, (value) => `${value} MiB`),
		usageRow("max_output_bytes", "Output", Math.min(output, limits.max_output_bytes), limits.max_output_bytes, formatBytes),
		usageRow("max_artifact_bytes", "Artifacts", size, limits.max_artifact_bytes, formatBytes),
		usageRow("max_artifact_files", "Files", artifacts.length, limits.max_artifact_files));
}

/* --- streams ------------------------------------------------------------------------------------ */

function streamView(name, text, note) {
	return make("section", {class: "stream", "data-stream": name},
		make("div", {class: "stream-head"}, make("h3", {text: name}), make("span", {class: "quiet", text: formatBytes(byteLength(text))}),
			make("span", {class: "gap"}), text === "" ? null : copyButton(text, name)),
		text === "" ? make("p", {class: "quiet empty", text: "Empty"})
			: make("pre", {class: "output", tabindex: "0", role: "region", "aria-label": name, text: visible(text)}),
		note ? make("p", {class: "note", text: note}) : null);
}

/** A run that goes on. Returns {elements, hear}: what is shown, and what takes its events. */
export function liveView() {
	const badge = make("span", {class: "badge", "data-status": "running", text: "starting"});
	const id = make("code", {});
	const streams = {};
	for (const name of ["stdout", "stderr"]) {
		const text = make("pre", {class: "output", tabindex: "0", role: "region", "aria-label": name});
		streams[name] = {text, waiting: "", section: make("section", {class: "stream", "data-stream": name, hidden: true}, make("div", {class: "stream-head"}, make("h3", {text: name})), text)};
	}
	// Events may come faster than a page can be drawn: text waits for the next picture.
	let isDue = false;
	const draw = () => {
		isDue = false;
		for (const stream of Object.values(streams)) {
			const {text, section, waiting} = stream;
			if (waiting === "")
				continue;
			section.hidden = false;
			const atEnd = text.scrollTop + text.clientHeight >= text.scrollHeight - 4;
			text.append(visible(waiting));
			stream.waiting = "";
			if (atEnd)
				text.scrollTop = text.scrollHeight;
		}
	};
	return {
		elements: [make("div", {class: "summary"}, badge, id), streams.stdout.section, streams.stderr.section],
		hear(name, value) {
			if (name === "status") {
				badge.textContent = statusTexts[value.status] ?? value.status;
				id.textContent = value.id ?? "";
			} else if (streams[name]) {
				streams[name].waiting += value.text ?? "";
				if (!isDue)
					requestAnimationFrame(draw);
				isDue = true;
			}
		},
	};
}

/* --- the record --------------------------------------------------------------------------------- */

function curlCommand(body, hasKey) {
	return [`curl -sS ${shellQuote(new URL("/v1/runs", location.href).href)}`, hasKey ? '-H "Authorization: Bearer $MAYFLY_KEY"' : null,
		"-H 'Content-Type: application/json'", `-d ${shellQuote(body)}`].filter(Boolean).join(" \\\n  ");
}

/** Request and record as they went over the wire, folded away; the key is not in them. */
export function exchange(request, record) {
	return make("details", {class: "exchange"}, make("summary", {text: [request && "Request", record && "Record"].filter(Boolean).join(" and ").replace("and R", "and r")}),
		request ? rawBlock("As a curl command", curlCommand(request.body, request.hasKey), "curl") : null,
		request ? rawBlock("Request", JSON.stringify(JSON.parse(request.body), null, 2), "request") : null,
		record ? rawBlock("Record", JSON.stringify(record, null, 2), "record") : null);
}

function cutNote(isCut, limits) {
	return isCut ? `Cut at ${formatBytes(limits.max_output_bytes)}, the limit.` : null;
}

/** A finished run. request: {body, hasKey} when it was made here just now. */
export function recordView(record, request) {
	return [
		make("div", {class: "summary"}, statusBadge(record.status), make("span", {id: "exit-code", "data-exit-code": record.exit_code, text: `exit ${record.exit_code}`}),
			make("span", {class: "quiet", text: formatSeconds(record.usage.wall_ms)}), make("span", {class: "quiet", text: record.language}),
			make("span", {class: "quiet", text: formatTime(record.created_at)}), make("code", {id: "run-id", class: "quiet", text: record.id})),
		usageView(record),
		record.compile_output ? streamView("compiler", record.compile_output, `Compiled in ${formatSeconds(record.usage.compile_ms ?? 0)}.`) : null,
		streamView("stdout", record.stdout, cutNote(record.stdout_truncated, record.limits)),
		streamView("stderr", record.stderr, cutNote(record.stderr_truncated, record.limits)),
		artifactList(record),
		exchange(request, record),
	].filter(Boolean);
}

/** A request that was refused, or had no answer. */
export function refusalView(title, messages, request) {
	return [problemBox(title, messages.map((message) => ({message}))), request ? exchange(request, null) : null].filter(Boolean);
}
