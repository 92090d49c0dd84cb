// The landing page: the tools, from GET /tools.
import {byId, fetchTools, make, problemBox, toolPath} from "./dom.js";

function card(name, tool) {
	const fields = Object.keys(tool.parameters ?? {});
	return make("li", {}, make("a", {class: "card", href: toolPath(name)},
		make("span", {class: "card-name", text: name}),
		make("span", {class: "card-text", text: tool.description ?? ""}),
		make("span", {class: "card-fields"}, ...fields.map((field) => make("code", {text: field})))));
}

async function show() {
	const list = byId("tools");
	try {
		const tools = await fetchTools();
		const cards = Object.entries(tools).map(([name, tool]) => card(name, tool));
		list.replaceChildren(...(cards.length ? cards : [make("li", {class: "quiet", text: "No tools are installed."})]));
	} catch (error) {
		list.replaceChildren();
		byId("problem").replaceChildren(problemBox("The tools could not be loaded", [{message: error.message}]));
	} finally {
		list.setAttribute("aria-busy", "false");
	}
}

show();
