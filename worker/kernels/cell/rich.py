"""What a value can show of itself beside its text: pictures, tables, charts (loaded by python.py when a program comes to it).

kernel is set by who loads this. Each form goes up as a display of its own:
  matplotlib  figures shown or left open, figures as values: plot_0, plot_1, … image/png; as `matplotlib.rcParams["savefig.format"]` says
              (png, svg, pdf, jpg), or the environment variable MAYFLY_FIGURE_FORMAT
  plotly      plotly_chart_0, … application/vnd.plotly.v1+json
  PIL         image_0, … image/png
  pandas      table_0, … text/html
  others      display_0, … what _repr_mimebundle_ gives, or else each of the _repr_*_ methods they have
"""
import sys

kernel = None

METHODS = (("_repr_html_", "text/html"), ("_repr_markdown_", "text/markdown"), ("_repr_svg_", "image/svg+xml"),
           ("_repr_png_", "image/png"), ("_repr_jpeg_", "image/jpeg"), ("_repr_latex_", "text/latex"),
           ("_repr_json_", "application/json"))
FIGURE_TYPES = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf", "jpg": "image/jpeg", "jpeg": "image/jpeg"}


def as_bytes(content, kind):
    """A form's content; pictures may come in base64, as notebooks want them."""
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    if isinstance(content, str):
        if kind.startswith("image/") and kind != "image/svg+xml":
            import base64
            return base64.b64decode(content)
        return content.encode("utf-8", "backslashreplace")
    import json
    return json.dumps(content, default=repr).encode()


def is_type(kind):
    """A MIME type as a display may have it."""
    return isinstance(kind, str) and len(kind) <= 100 and kind.count("/") == 1 and kind[0].isalnum() and kind[-1] != "/" and \
        all(c in "abcdefghijklmnopqrstuvwxyz0123456789/+.-_" for c in kind)


def complain(value, problem):
    sys.stderr.write(f"{type(value).__name__} cannot be shown: {type(problem).__name__}: {problem}\n")


# --- matplotlib ---------------------------------------------------------------------------------------------------------

def figure_format():
    wanted = sys.modules["matplotlib"].rcParams["savefig.format"]
    if wanted == "png":
        import os
        wanted = os.environ.get("MAYFLY_FIGURE_FORMAT", "png")
    return wanted if wanted in FIGURE_TYPES else "png"


def send_figure(figure):
    import io
    import warnings
    wanted, content = figure_format(), io.BytesIO()
    with warnings.catch_warnings(record=True) as caught:  # none is about a line of ours
        figure.savefig(content, format=wanted, bbox_inches="tight")
    for warning in caught:
        sys.stderr.write(f"{warning.category.__name__}: {warning.message}\n")
    kernel.display(FIGURE_TYPES[wanted], "plot", "matplotlib", content.getvalue())


def show_figures():
    """Those open, in the order of their numbers; then they are closed."""
    helpers = sys.modules["matplotlib._pylab_helpers"].Gcf
    for manager in helpers.get_all_fig_managers():
        try:
            if manager.canvas.figure.get_axes() or manager.canvas.figure.texts:
                send_figure(manager.canvas.figure)
        except Exception as problem:
            complain(manager.canvas.figure, problem)
    helpers.destroy_all()


def after_matplotlib__pylab_helpers(module):
    """A script for python itself has no end of a cell: what is open is shown when it exits, before this module closes it."""
    if not kernel.is_session:
        import atexit
        atexit.register(kernel.show_figures)


def show_figure(figure):
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    send_figure(figure)
    if helpers:
        helpers.Gcf.destroy_fig(figure)  # not once more at the end


# The image's fonts (worker/packages) for what a text's own font has no picture of.
FALLBACKS = ("WenQuanYi Micro Hei", "Symbola")


def after_matplotlib_font_manager(module):
    """Each text may use them, whatever family it asks for (matplotlib knows fallbacks since 3.6). A family that is not there is told once."""
    find, told = getattr(module.FontManager, "_find_fonts_by_props", None), set()
    if find is None:
        return

    def find_with_fallbacks(self, prop, *args, **options):
        paths = find(self, prop, *args, **options)
        return paths + [entry.fname for entry in self.ttflist if entry.name in FALLBACKS and entry.fname not in paths]

    def is_new(record):
        text = record.getMessage()
        return not (text in told or told.add(text))

    module.FontManager._find_fonts_by_props = find_with_fallbacks
    module._log.addFilter(is_new)


# --- others -------------------------------------------------------------------------------------------------------------

def after_plotly_io__renderers(module):
    from plotly.io._base_renderers import ExternalRenderer

    class Renderer(ExternalRenderer):
        def render(self, fig_dict):
            import plotly.io
            send_chart(plotly.io.to_json(fig_dict, validate=False))

    module.renderers["mayfly"] = Renderer()
    module.renderers.default = "mayfly"


def send_chart(text):
    kernel.display("application/vnd.plotly.v1+json", "plotly_chart", "plotly", text.encode())


def send_image(image):
    import io
    content = io.BytesIO()
    (image if image.mode in ("1", "L", "LA", "I", "P", "RGB", "RGBA") else image.convert("RGB")).save(content, "PNG")
    kernel.display("image/png", "image", "pillow", content.getvalue())


def after_PIL_ImageShow(module):
    class Viewer(module.Viewer):
        def show(self, image, **options):
            send_image(image)
            return 1

    module.register(Viewer(), 0)


def send_table(frame):
    html = frame._repr_html_() if hasattr(frame, "_repr_html_") else frame.to_frame()._repr_html_()
    if html:
        kernel.display("text/html", "table", "pandas", html.encode())


def send_bundle(forms):
    """{type: content}; true when there was a form beside the text."""
    found = False
    for kind, content in (forms or {}).items():
        if kind != "text/plain" and is_type(kind) and content is not None:
            kernel.display(kind, "display", "repr", as_bytes(content, kind))
            found = True
    return found


def send_methods(value):
    """True when there was a form."""
    bundle = getattr(type(value), "_repr_mimebundle_", None)
    given = bundle(value) if bundle else None
    if send_bundle(given[0] if isinstance(given, tuple) else given):
        return True
    found = False
    for name, kind in METHODS:
        method = getattr(type(value), name, None)
        content = method(value) if method else None
        content = content[0] if isinstance(content, tuple) else content
        if content is not None:
            kernel.display(kind, "display", "repr", as_bytes(content, kind))
            found = True
    return found


def is_a(value, module, name):
    """An instance of a class of a module that the program has loaded: what it has not loaded it has no instance of."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


FORMS = (("matplotlib.figure", "Figure", show_figure), ("plotly.basedatatypes", "BaseFigure", lambda figure: send_chart(figure.to_json())),
         ("PIL.Image", "Image", send_image), ("pandas", "DataFrame", send_table), ("pandas.io.formats.style", "Styler", send_table))


def show(value):
    """Sends what value can show; True when there was something."""
    if isinstance(value, type):
        return False
    try:
        for module, name, send in FORMS:
            if is_a(value, module, name):
                send(value)
                return True
        return send_methods(value)
    except Exception as problem:
        complain(value, problem)
        return False
