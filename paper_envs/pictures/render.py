"""Pictures of the tasks: pure functions from a `Moment` to an image.

Orange is always what others suggest. Each kind of scene has a module of its own.
"""

from PIL import Image

from paper_envs.pictures.frame import GridScene, LineScene, Moment
from paper_envs.pictures.grid import draw_grid
from paper_envs.pictures.line import draw_line
from paper_envs.pictures.square import draw_square


def render(moment: Moment) -> Image.Image:
    """The picture of one step."""
    scene = moment.scene
    if isinstance(scene, LineScene):
        return draw_line(moment, scene)
    if isinstance(scene, GridScene):
        return draw_grid(moment, scene)
    return draw_square(moment, scene)
