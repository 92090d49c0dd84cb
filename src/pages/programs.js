// A first program for each language of runs.

export const programs = {
	python: `import os, sys

print("Hello from Python", sys.version.split()[0])
print("Arguments:", sys.argv[2:])
print("Input:", sys.stdin.read() or "none")

# Files left in outputs become artifacts.
with open("outputs/squares.csv", "w") as table:
    print("n,square", file=table)
    for n in range(1, 11):
        print(n, n * n, sep=",", file=table)
`,
	node: `const fs = require("node:fs");

console.log("Hello from Node.js", process.version);
console.log("Arguments:", process.argv.slice(3));
console.log("Input:", fs.readFileSync(0, "utf8") || "none");

// Files left in outputs become artifacts.
fs.writeFileSync("outputs/numbers.json", JSON.stringify({name: "squares", values: [1, 4, 9]}));
`,
	ruby: `puts "Hello from Ruby #{RUBY_VERSION}"
puts "Arguments: #{ARGV.drop(1)}"
puts "Input: #{STDIN.read}"

# Files left in outputs become artifacts.
File.write("outputs/numbers.txt", (1..10).to_a.join("\\n"))
`,
	php: `<?php
echo "Hello from PHP ", PHP_VERSION, "\\n";
echo "Arguments: ", json_encode(array_slice($argv, 2)), "\\n";
echo "Input: ", stream_get_contents(STDIN), "\\n";

// Files left in outputs become artifacts.
file_put_contents("outputs/numbers.json", json_encode(range(1, 10)));
`,
	go: `package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Println("Hello from Go", runtime.Version())
	fmt.Println("Arguments:", os.Args[2:])

	// Files left in outputs become artifacts.
	if err := os.WriteFile("outputs/hello.txt", []byte("hello\\n"), 0o644); err != nil {
		panic(err)
	}
}
`,
	c: `#include <stdio.h>

int main(int argc, char **argv)
{
	char line[256];

	puts("Hello from C");
	printf("Arguments: [");
	for (int i = 2; i < argc; i++)
		printf("%s\\"%s\\"", i > 2 ? ", " : "", argv[i]);
	puts("]");
	printf("Input: ");
	while (fgets(line, sizeof(line), stdin))
		fputs(line, stdout);

	// Files left in outputs become artifacts.
	FILE *file = fopen("outputs/numbers.txt", "w");
	fprintf(file, "1 4 9\\n");
	return fclose(file);
}
`,
	cpp: `#include <fstream>
#include <iostream>

int main(int argc, char **argv)
{
	std::cout << "Hello from C++\\nArguments: [";
	for (int i = 2; i < argc; i++)
		std::cout << (i > 2 ? ", " : "") << '"' << argv[i] << '"';
	std::cout << "]\\nInput: " << std::cin.rdbuf();

	// Files left in outputs become artifacts.
	std::ofstream("outputs/numbers.txt") << "1 4 9\\n";
}
`,
	java: `public class Main {
	public static void main(String[] args) throws Exception {
		System.out.println("Hello from Java " + Runtime.version());
	}
}
`,
	r: `cat("Hello from R", as.character(getRversion()), "\\n")
`,
	rust: `fn main() {
    println!("Hello from Rust");
}
`,
};
