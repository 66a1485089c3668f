"""What a processor computes of the U-Net in the project's own kernels: 3 × 3 convolutions and normalisations.

    winograd.c   convolutions and their gradients in 4/9 of the multiplications (`layers.Conv3x3`); `tiles.h`
                 has the transforms, `bfloat16.h` the products of bfloat16 (`layers.halves`)
    norm.c       group normalisation, the time's shift before it and SiLU after it (`layers.normalised`)
    library.py   compiles both for this machine when they are first needed, and keeps the result

The same functions as torch's, to float rounding, of float32; with no C compiler at hand torch's are taken.
"""
