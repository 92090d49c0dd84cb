"""The package IPython of a kernel, where the image has none: what programs import to show something, and get_ipython(). Its modules are
made when IPython is imported (imports.py); kernel is set by who loads this.
"""
import sys

kernel = None
version_info = (8, 24, 0, "")
__version__ = "8.24.0"
__path__ = []


def get_ipython():
    return kernel.shell()


def display(*objs, **options):
    kernel.show_value(*objs, **options)
    return DisplayHandle(options["display_id"]) if options.get("display_id") else None


class DisplayHandle:
    def __init__(self, display_id=None):
        self.display_id = display_id if isinstance(display_id, str) else "0"

    def display(self, value, **options):
        display(value)

    update = display


def display_of(kind):
    """display_png() and its like: values that can show themselves, or with raw=True the form itself."""
    def show(*values, raw=False, metadata=None):
        for value in values:
            display(make_form(kind)(value) if raw else value)
    return show


def update_display(value, *, display_id=None, **options):
    display(value)


def clear_output(wait=False):
    """What is printed is printed: a reply has no screen to be cleared."""


def set_matplotlib_formats(*formats, **options):
    get_ipython().line_config("InlineBackend.figure_formats=" + " ".join(map(str, formats)))


class DisplayObject:
    """data, or what a file or an address has."""
    kind = None
    is_text = True

    def __init__(self, data=None, url=None, filename=None, metadata=None, **options):
        if data is not None and filename is None and url is None and not isinstance(data, (bytes, bytearray)) and self.is_file(data):
            filename, data = str(data), None
        if isinstance(data, str) and url is None and data.startswith(("http://", "https://")) and not self.is_text:
            url, data = data, None
        self.data, self.url, self.filename, self.metadata, self.options = data, url, filename, metadata or {}, options
        self.reload()

    def is_file(self, data):
        if not hasattr(data, "__fspath__") and (self.is_text or not isinstance(data, str)):
            return False
        import os
        return os.path.exists(data)

    def reload(self):
        if self.filename is not None:
            with open(self.filename, "r" if self.is_text else "rb", **({"encoding": "utf-8"} if self.is_text else {})) as file:
                self.data = file.read()

    def __repr__(self):
        return f"<IPython.core.display.{type(self).__name__} object>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {self.kind: self.data} if self.data is not None else {}


def make_form(kind, **more):
    return type(kind.rpartition("/")[2], (DisplayObject,), {"kind": kind, **more})


def form(name, kind, **more):
    made = type(name, (DisplayObject,), {"kind": kind, "__module__": "IPython.core.display", **more})
    return made


HTML = form("HTML", "text/html")
Markdown = form("Markdown", "text/markdown")
Latex = form("Latex", "text/latex")
SVG = form("SVG", "image/svg+xml")
Javascript = form("Javascript", "application/javascript")


class Math(Latex):
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {self.kind: "$\\displaystyle " + self.data.strip("$") + "$"}


class Pretty(DisplayObject):
    def __repr__(self):
        return str(self.data)

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {}


class Code(Pretty):
    pass


class JSON(DisplayObject):
    def _repr_mimebundle_(self, include=None, exclude=None):
        import json
        return {"application/json": json.loads(self.data) if isinstance(self.data, str) else self.data}


class GeoJSON(JSON):
    pass


class Image(DisplayObject):
    kind = None
    is_text = False
    KINDS = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"GIF8", "image/gif"), (b"RIFF", "image/webp"))

    def _repr_mimebundle_(self, include=None, exclude=None):
        if self.data is None:
            return {"text/html": f'<img src="{self.url}"/>'}
        data = self.data
        if isinstance(data, str):
            import base64
            data = base64.b64decode(data)
        kind = next((kind for start, kind in self.KINDS if data.startswith(start)), "image/png")
        return {kind: data}


class Media(DisplayObject):
    is_text = False

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": f'<{self.tag} controls src="{self.source()}"></{self.tag}>'}

    def source(self):
        if self.data is None:
            return self.url
        import base64
        data = self.data if isinstance(self.data, str) else base64.b64encode(self.data).decode()
        return f"data:{self.options.get('mimetype') or self.kind};base64,{data}"


class Video(Media):
    tag, kind = "video", "video/mp4"


class Audio(Media):
    """Samples, too, which become a WAV of 16 bits."""
    tag, kind = "audio", "audio/wav"

    def __init__(self, data=None, filename=None, url=None, rate=None, **options):
        if data is not None and not isinstance(data, (str, bytes, bytearray)) and not hasattr(data, "__fspath__"):
            data = self.wave(data, rate)
        super().__init__(data, url, filename, **options)

    @staticmethod
    def wave(samples, rate):
        import array
        import io
        import wave
        if rate is None:
            raise ValueError("rate must be specified when data is a numpy array or list of audio samples.")
        channels = samples if len(samples) and hasattr(samples[0], "__len__") else [samples]
        peak = max((abs(float(value)) for channel in channels for value in channel), default=0) or 1.0
        frames = array.array("h", (int(float(value) / peak * 32767) for frame in zip(*channels) for value in frame))
        out = io.BytesIO()
        with wave.open(out, "wb") as file:
            file.setnchannels(len(channels))
            file.setsampwidth(2)
            file.setframerate(int(rate))
            file.writeframes(frames.tobytes())
        return out.getvalue()


class IFrame:
    def __init__(self, src, width="100%", height=400, **params):
        self.src, self.width, self.height = src, width, height

    def _repr_html_(self):
        return f'<iframe width="{self.width}" height="{self.height}" src="{self.src}" frameborder="0" allowfullscreen></iframe>'


class YouTubeVideo(IFrame):
    def __init__(self, id, width=400, height=300, **options):
        super().__init__(f"https://www.youtube.com/embed/{id}", width, height)


class FileLink:
    def __init__(self, path, *args, **options):
        self.path = str(path)

    def __repr__(self):
        return self.path

    def _repr_html_(self):
        return f"<a href='{self.path}' target='_blank'>{self.path}</a>"


class FileLinks(FileLink):
    pass


class ProgressBar:
    def __init__(self, total):
        self.total, self.progress = total, 0

    def __iter__(self):
        return iter(range(self.total))

    def display(self):
        pass


class TextDisplayObject(DisplayObject):
    pass


class InteractiveShell:
    """ast_node_interactivity is obeyed: "all" shows each expression of a cell, not the last alone."""
    ast_node_interactivity = "last_expr"

    @classmethod
    def instance(cls, *args, **options):
        return get_ipython()

    @classmethod
    def initialized(cls):
        return True


def register(kind):
    def decorate(function):
        if isinstance(function, str):
            return lambda named: get_ipython().register_magic_function(named, kind, function) or named
        get_ipython().register_magic_function(function, kind)
        return function
    return decorate


def needs_local_scope(function):
    return function


DISPLAY = ("display", "DisplayHandle", "DisplayObject", "update_display", "clear_output", "set_matplotlib_formats", "HTML", "Markdown", "Latex",
           "SVG", "Javascript", "Math", "Pretty", "Code", "JSON", "GeoJSON", "Image", "Video", "Audio", "IFrame", "YouTubeVideo", "FileLink",
           "FileLinks", "ProgressBar", "TextDisplayObject")
FORMS = {"html": "text/html", "markdown": "text/markdown", "svg": "image/svg+xml", "png": "image/png", "jpeg": "image/jpeg", "latex": "text/latex",
         "json": "application/json", "javascript": "application/javascript"}


def make_modules(package):
    """IPython's own and those beneath it."""
    names = package.__dict__
    shown = {name: names[name] for name in DISPLAY}
    shown.update({"display_" + name: display_of(kind) for name, kind in FORMS.items()})
    modules = {
        "display": shown, "core": {"__path__": []}, "core.display": shown, "core.display_functions": shown,
        "core.getipython": {"get_ipython": get_ipython}, "core.interactiveshell": {"InteractiveShell": InteractiveShell},
        "core.magic": {"register_line_magic": register("line"), "register_cell_magic": register("cell"), "needs_local_scope": needs_local_scope},
        "core.pylabtools": {"backend2gui": {}}, "terminal": {"__path__": []}, "utils": {"__path__": []},
    }
    for name, content in modules.items():
        module = type(sys)("IPython." + name)
        module.__dict__.update(content)
        module.__spec__ = type(package.__spec__)(module.__name__, None, is_package="__path__" in content)
        sys.modules[module.__name__] = module
        above, _, last = module.__name__.rpartition(".")
        setattr(sys.modules[above], last, module)
