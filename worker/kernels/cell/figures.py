"""matplotlib's backend in a kernel: Agg, whose show() sends the figures as displays (rich.py). Loaded as module://mayfly_figures."""
import sys

from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def show(*args, **options):
    """All open figures; as behind a window that was closed they are not there any more."""
    sys.modules["mayfly_rich"].show_figures()


class FigureManager(FigureManagerBase):
    def show(self):
        sys.modules["mayfly_rich"].show_figure(self.canvas.figure)


class FigureCanvas(FigureCanvasAgg):
    manager_class = FigureManager


def new_figure_manager_given_figure(number, figure):
    return FigureManager(FigureCanvas(figure), number)


def new_figure_manager(number, *args, FigureClass=Figure, **options):
    return new_figure_manager_given_figure(number, FigureClass(*args, **options))
