"""What a processor computes of the U-Net in the project's own kernels.

    winograd.c   3 × 3 convolutions and their gradients in 4/9 of the multiplications (`layers.Conv3x3`);
                 `tiles.h` has the transforms
    norm.c       group normalisation, the time's shift before it and SiLU after it (`layers.normalised`)
    linear.c     linear maps: 1 × 1 convolutions (`linear.Conv1x1`), projections (`linear.Linear`) and, of
                 gathered pixels, the convolution that halves images (`strided.HalvingConv`), and
    attention.c  attention (`attention.attend`), both where products of bfloat16 are asked for
                 (`calling.halves`); `laying.h` has how numbers are laid down for them
    product.h    the product that all but norm.c come to, `bfloat16.h` its kind of numbers
    prepared.py  keeps weights as those multiply them, while images are drawn
    library.py   compiles them for this machine when they are first needed, and keeps the result

The same functions as torch's, to float rounding, of float32; with no C compiler at hand torch's are taken.
"""
