"""The small network of the TensorFlow tutorials, three convolutions and two dense layers.

    layer      output at 32 px    weights
    conv 3x3   30 x 30 x 32       no padding, as in Keras; then ReLU
    max pool   15 x 15 x 32       2 x 2
    conv 3x3   13 x 13 x 64       ReLU
    max pool    6 x  6 x 64       2 x 2
    conv 3x3    4 x  4 x 64       ReLU
    dense       64                ReLU, then dropout if asked for
    dense       classes

128,420 parameters at 100 classes and 32 px.
"""

from torch import Tensor, nn

from hundredfold.compute.convolution import Conv2d
from hundredfold.compute.dropout import Dropout
from hundredfold.models._layers import Scale, need_size
from hundredfold.size import Size
from hundredfold.spec import BelowOne


class SimpleCNN(nn.Module):
    """Three convolutions, two poolings, two dense layers."""

    def __init__(self, classes: int, size: Size, dropout: float) -> None:
        super().__init__()
        self.scale = Scale()
        self.conv1 = Conv2d(3, 32, 3)
        self.conv2 = Conv2d(32, 64, 3)
        self.conv3 = Conv2d(64, 64, 3)
        self.pool = nn.MaxPool2d(2)
        self.relu = nn.ReLU(inplace=True)
        height, width = (((side - 2) // 2 - 2) // 2 - 2 for side in size)
        self.dense1 = nn.Linear(64 * height * width, 64)
        self.dropout = Dropout(dropout)
        self.dense2 = nn.Linear(64, classes)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (b, 3, h, w) -> logits (b, classes)."""
        x = self.scale(images)
        x = self.relu(self.pool(self.conv1(x)))  # max and ReLU commute; pooling first is less work
        x = self.relu(self.pool(self.conv2(x)))
        x = self.relu(self.conv3(x))
        x = self.relu(self.dense1(x.flatten(1)))
        return self.dense2(self.dropout(x))  # type: ignore[no-any-return]


def simple_cnn(classes: int, size: Size, *, dropout: BelowOne = 0.0) -> nn.Module:
    """Build the tutorial network: three convolutions and two dense layers.

    size: at least 18 pixels.
    dropout: probability on the 64 hidden units, in [0, 1).

    Initialisation is Keras' default: Glorot uniform (Glorot & Bengio 2010), biases 0.
    """
    need_size("simple_cnn", size, 18)
    model = SimpleCNN(classes, size, dropout)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return model
