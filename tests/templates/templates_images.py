"""The images that check does not build (make check-templates): what they are for works, and what they lack they say."""
import json
import os

import harness
from templates import TemplatesTest, execute

ML = """import numpy, pandas, sklearn.linear_model, matplotlib, torch, transformers
x = torch.arange(8.).reshape(8, 1); line = torch.nn.Linear(1, 1); step = torch.optim.SGD(line.parameters(), lr=.01)
def loss(): return ((line(x) - 2 * x) ** 2).mean()
before = loss().item()
for _ in range(20): step.zero_grad(); loss().backward(); step.step()
print(loss().item() < before, round(float(sklearn.linear_model.LinearRegression().fit([[0], [1]], [1, 3]).predict([[2]])[0]), 3))
config = transformers.GPT2Config(vocab_size=50, n_embd=16, n_layer=1, n_head=2, n_positions=32)
transformers.GPT2LMHeadModel(config).save_pretrained('/tmp/model')
model = transformers.GPT2LMHeadModel.from_pretrained('/tmp/model')
print(tuple(model.generate(torch.tensor([[1, 2]]), max_new_tokens=4, min_new_tokens=4, do_sample=False, pad_token_id=0).shape))
"""
NLP = """import gensim, nltk, spacy, textblob, jieba, langdetect, regex, Levenshtein, unidecode
print(nltk.wordpunct_tokenize("it's"), nltk.tokenize.TreebankWordTokenizer().tokenize("it's"), nltk.stem.PorterStemmer().stem('running'))
print([token.text for token in spacy.blank('en')("it's so")], textblob.TextBlob('so good').sentiment.polarity > 0)
print(gensim.corpora.Dictionary([['a', 'b'], ['a']]).token2id, unidecode.unidecode('\\u00fc'), Levenshtein.distance('ab', 'ac'))
"""
WEB = """import requests, httpx, bs4, lxml.html, scrapy, selenium, feedparser, pandas
print(bs4.BeautifulSoup('<p>a<b>b</b>', 'lxml').p.text, scrapy.Selector(text='<i>x</i>').css('i::text').get(), pandas.DataFrame({'a': [1]}).a.sum())
"""
BROWSER = """from selenium import webdriver
options = webdriver.ChromeOptions()
for option in ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'): options.add_argument(option)
options.binary_location = '/usr/bin/chromium'
driver = webdriver.Chrome(options=options, service=webdriver.ChromeService('/usr/bin/chromedriver'))
driver.get('data:text/html,<title>t</title><button onclick="this.textContent=6*7">b</button>')
driver.find_element('tag name', 'button').click()
print(driver.title, driver.find_element('tag name', 'button').text)
driver.quit()
"""
PROGRAMS = {
    "python-ml": (ML, "True 5.0\n(1, 6)\n"),
    "python-nlp": (NLP, "['it', \"'\", 's'] ['it', \"'s\"] run\n['it', \"'s\", 'so'] True\n{'a': 0, 'b': 1} u 1\n"),
    "python-web": (WEB, "ab x 1\n"),
    "python-web-browser": (BROWSER, "t 42\n"),
}
SUM = {
    "c": '#include <stdio.h>\nint main(int n, char **v) { printf("%d\\n", 6 * 7); return 3; }',
    "cpp": '#include <iostream>\nint main() { std::cout << 6 * 7 << std::endl; return 3; }',
    "go": 'package main\nimport ("fmt"; "os")\nfunc main() { fmt.Println(6 * 7); os.Exit(3) }',
    "rust": 'fn main() { println!("{}", 6 * 7); std::process::exit(3) }',
    "java": 'public class Main { public static void main(String[] a) { System.out.println(6 * 7); System.exit(3); } }',
    "r": 'cat(6 * 7, "\\n", sep = ""); quit(status = 3)',
}
ARGUMENTS = {
    "c": '#include <stdio.h>\nint main(int n, char **v) { printf("%s|%s\\n", v[1], v[n - 1]); }',
    "cpp": '#include <iostream>\nint main(int n, char **v) { std::cout << v[1] << "|" << v[n - 1] << std::endl; }',
    "go": 'package main\nimport ("fmt"; "os"; "strings")\nfunc main() { fmt.Println(strings.Join(os.Args[1:], "|")) }',
    "rust": 'fn main() { println!("{}", std::env::args().skip(1).collect::<Vec<_>>().join("|")) }',
    "java": 'public class Main { public static void main(String[] a) { System.out.println(String.join("|", a)); } }',
    "r": 'cat(commandArgs(trailingOnly = TRUE), sep = "|"); cat("\\n")',
}


class Images(TemplatesTest):
    def test_what_a_model_s_absence_says(self):
        """The authors' servers may answer where the image is built: then there is nothing to say."""
        self.image("python-nlp")
        listed = json.loads(self.server.request("GET", "/templates").body)["templates"]
        missing = next(row for row in listed if row["name"] == "python-nlp")["missing_packages"]
        for name, code in (("spacy:en_core_web_sm", "import spacy; spacy.load('en_core_web_sm')"),
                           ("nltk:punkt_tab", "import nltk; nltk.word_tokenize('a b')"),
                           ("nltk:stopwords", "from nltk.corpus import stopwords; stopwords.words('english')")):
            _, reply = execute(self.server, code, "python-nlp")
            with self.subTest(name):
                self.assertEqual(reply["exit_code"], 1 if name in missing else 0, reply)
                if name in missing:
                    self.assertIn("mayflyctl template build --model FILE python-nlp", reply["stderr"])
                    self.assertNotIn("mayfly_missing", reply["stderr"])

    def test_a_model_from_a_file(self):
        """A corpus as nltk's authors pack it, made here; the image is the test's own."""
        import zipfile
        name, corpus = "model-" + os.urandom(4).hex(), "test" + os.urandom(4).hex()
        folder = os.path.join(self.server.folder, "config/templates.d")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
            json.dump({"public": True, "image": f"localhost/mayfly-{name}:latest",
                       "build": {"base": "aa-worker:latest", "models": ["nltk:" + corpus]}}, file)
        path = os.path.join(self.server.folder, corpus + ".zip")
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(corpus + "/words", "a b")
        self.addCleanup(harness.until, lambda: __import__("subprocess").run(["podman", "image", "rm", f"localhost/mayfly-{name}:latest"],
                                                                         check=False, capture_output=True).returncode == 0, "image removed")
        built = self.build("--model", path, name, XDG_CACHE_HOME=os.path.join(self.server.folder, "cache"), TMPDIR=self.server.folder)
        self.assertEqual(built.returncode, 0, built.stdout)
        self.assertNotIn("lacks", built.stdout)
        harness.hand_over(f"localhost/mayfly-{name}:latest")
        _, reply = execute(self.server, f"print(open('/usr/share/nltk_data/corpora/{corpus}/words').read())", name)
        self.assertEqual(reply["stdout"], "a b\n", reply)


class Compiled(TemplatesTest):
    def test_execute(self):
        self.image("compiled")
        for language, code in SUM.items():
            with self.subTest(language):
                _, reply = execute(self.server, code, "compiled", language)
                self.assertEqual((reply.get("stdout"), reply.get("exit_code")), ("42\n", 3), reply)

    def test_arguments(self):
        self.image("compiled")
        for language, code in ARGUMENTS.items():
            with self.subTest(language):
                _, reply = execute(self.server, code, "compiled", language, args=["a b", "--c"])
                self.assertEqual(reply.get("stdout"), "a b|--c\n", reply)

    def test_runs(self):
        self.image("compiled")
        for language, code in SUM.items():
            with self.subTest(language):
                reply = json.loads(self.server.request("POST", "/v1/runs", {"language": language, "code": code, "limits": {
                    "timeout_ms": 10000, "cpu_ms": 20000, "memory_mb": 512}}, timeout=180).body)
                self.assertEqual((reply.get("stdout"), reply.get("exit_code")), ("42\n", 3), reply)


for template_name in PROGRAMS:
    setattr(Images, "test_" + template_name.replace("-", "_"),
            lambda self, name=template_name: self.check_program(name, "python", *PROGRAMS[name]))


if __name__ == "__main__":
    harness.main()
