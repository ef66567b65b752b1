"""How a trained network stands images that training did not show it.

`corruptions`: accuracy under noise, blur, JPEG and more, at five strengths -> corruptions.json.
`unlike`: how well the unknown-score tells images of other kinds from the run's -> unlike.json.
"""

from hundredfold.robustness._corrupt import CORRUPTIONS, STRENGTHS, corrupted
from hundredfold.robustness._corruptions import corruptions
from hundredfold.robustness._unlike import unlike

__all__ = ["CORRUPTIONS", "STRENGTHS", "corrupted", "corruptions", "unlike"]
