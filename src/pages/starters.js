// A first program for each language, shown while the code is untouched.

export const starters = {
	python: `import platform, sys

print("Hello from Python", platform.python_version())

# Files left in the working directory become outputs.
with open("squares.csv", "w") as table:
    for n in range(1, 11):
        print(n, n * n, sep=",", file=table)

print("This goes to stderr.", file=sys.stderr)
`,
	node: `const fs = require("node:fs");

console.log("Hello from Node.js", process.version);

// Files left in the working directory become outputs.
fs.writeFileSync("numbers.json", JSON.stringify([1, 2, 3]));

console.error("This goes to stderr.");
`,
	bun: `console.log("Hello from Bun", Bun.version);

// Files left in the working directory become outputs.
await Bun.write("numbers.json", JSON.stringify([1, 2, 3]));

console.error("This goes to stderr.");
`,
	bash: `echo "Hello from Bash $BASH_VERSION"

# Files left in the working directory become outputs.
seq 1 10 > numbers.txt

echo "This goes to stderr." >&2
`,
	ruby: `puts "Hello from Ruby #{RUBY_VERSION}"

# Files left in the working directory become outputs.
File.write("numbers.txt", (1..10).to_a.join("\\n"))

warn "This goes to stderr."
`,
	php: `<?php
echo "Hello from PHP ", PHP_VERSION, "\\n";

// Files left in the working directory become outputs.
file_put_contents("numbers.json", json_encode(range(1, 10)));

file_put_contents("php://stderr", "This goes to stderr.\\n");
`,
};

/** True for code that nobody has written: empty, or one of ours. */
export function isUntouched(code, ours = starters) {
	return code.trim() === "" || Object.values(ours).includes(code);
}
