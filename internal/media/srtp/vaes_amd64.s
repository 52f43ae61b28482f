#include "textflag.h"

// AES-128-GCM of one short packet with 512-bit vectors (AVX-512 with VAES and
// VPCLMULQDQ): four blocks at a time.
//
// GHASH works on blocks whose 16 bytes are reversed: the coefficient of x^0 is
// then the highest bit. A product of two such numbers lies one bit too low, so
// the powers of the hash key are kept over x. The products of up to 21 blocks
// are summed up before they are reduced, each block with the power of its place.

// A sealer's fields.
#define KEYS 0
#define POWERS 176 // the 21st first
#define POWERS_END (POWERS+21*16)

// Registers: Z0 data, Z1 powers, Z8 Z9 Z10 low, middle and high sums, Z14 Z15
// scratch, X6 the hash so far, X7 the block that hides the tag, Z11 reverses the
// bytes of blocks, Z12 counters and Z13 their step, Z16 to Z26 round keys, Z27
// the polynomial.

DATA reverse<>+0(SB)/8, $0x08090a0b0c0d0e0f
DATA reverse<>+8(SB)/8, $0x0001020304050607
GLOBL reverse<>(SB), RODATA|NOPTR, $16

DATA first<>+0(SB)/8, $1
DATA first<>+8(SB)/8, $0
DATA first<>+16(SB)/8, $2
DATA first<>+24(SB)/8, $0
DATA first<>+32(SB)/8, $3
DATA first<>+40(SB)/8, $0
DATA first<>+48(SB)/8, $4
DATA first<>+56(SB)/8, $0
GLOBL first<>(SB), RODATA|NOPTR, $64

DATA step<>+0(SB)/8, $4
DATA step<>+8(SB)/8, $0
GLOBL step<>(SB), RODATA|NOPTR, $16

#define POLYNOMIAL \
	MOVQ $0xc200000000000000, R9; \
	VPBROADCASTQ R9, Z27

// Adds blocks times the powers in Z1 to the sums.
#define ACCUMULATE(x) \
	VPCLMULQDQ $0x00, Z1, x, Z14; \
	VPXORQ Z14, Z8, Z8; \
	VPCLMULQDQ $0x11, Z1, x, Z15; \
	VPXORQ Z15, Z10, Z10; \
	VPCLMULQDQ $0x01, Z1, x, Z14; \
	VPCLMULQDQ $0x10, Z1, x, Z15; \
	VPTERNLOGQ $0x96, Z14, Z15, Z9

// Adds ciphertext, whose powers begin at an offset.
#define HASH(x, at) \
	VPSHUFB Z11, x, x; \
	VMOVDQU64 at(R12), Z1; \
	ACCUMULATE(x)

// The same for a chunk's first blocks, which take the hash so far.
#define HASH_ON(x) \
	VPSHUFB Z11, x, x; \
	VPXORQ Z6, x, x; \
	VMOVDQU64 (R12), Z1; \
	ACCUMULATE(x)

// Reduces the sums to four blocks in Z10: twice, the lowest 64 bits go to where
// x^128 = x^7 + x^2 + x + 1 takes them.
#define REDUCE \
	VPCLMULQDQ $0x00, Z27, Z8, Z14; \
	VPSHUFD $0x4e, Z8, Z15; \
	VPTERNLOGQ $0x96, Z14, Z15, Z9; \
	VPCLMULQDQ $0x00, Z27, Z9, Z14; \
	VPSHUFD $0x4e, Z9, Z15; \
	VPTERNLOGQ $0x96, Z14, Z15, Z10

// Does one thing with 16 blocks.
#define ROUND4(instruction, k) \
	instruction k, Z0, Z0; \
	instruction k, Z2, Z2; \
	instruction k, Z3, Z3; \
	instruction k, Z4, Z4

// Sets four blocks to the next four counters.
#define COUNT(x) \
	VPSHUFB Z11, Z12, x; \
	VPADDD Z13, Z12, Z12

// Sets R11 to how many bytes the next chunk has, and R12 to its blocks, up to 16
// and the lengths; CX is what is left.
#define MEASURE \
	MOVQ $256, R11; \
	CMPQ CX, R11; \
	CMOVQLT CX, R11; \
	LEAQ 15(R11), R12; \
	SHRQ $4, R12; \
	CMPQ CX, $257; \
	ADCQ $0, R12

// Makes the key stream of the next 16 blocks in Z0 and Z2 to Z4.
#define ENCRYPT4 \
	COUNT(Z0); COUNT(Z2); COUNT(Z3); COUNT(Z4); \
	ROUND4(VPXORQ, Z16); \
	ROUND4(VAESENC, Z17); \
	ROUND4(VAESENC, Z18); \
	ROUND4(VAESENC, Z19); \
	ROUND4(VAESENC, Z20); \
	ROUND4(VAESENC, Z21); \
	ROUND4(VAESENC, Z22); \
	ROUND4(VAESENC, Z23); \
	ROUND4(VAESENC, Z24); \
	ROUND4(VAESENC, Z25); \
	ROUND4(VAESENCLAST, Z26)

// Encrypts one to four blocks.
#define ENCRYPT(x, k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10) \
	VPXORQ k0, x, x; \
	VAESENC k1, x, x; \
	VAESENC k2, x, x; \
	VAESENC k3, x, x; \
	VAESENC k4, x, x; \
	VAESENC k5, x, x; \
	VAESENC k6, x, x; \
	VAESENC k7, x, x; \
	VAESENC k8, x, x; \
	VAESENC k9, x, x; \
	VAESENCLAST k10, x, x

// func sealVAES(s *sealer, dst, src *byte, n int, aad *byte, aadLen int, iv *[16]byte)
TEXT ·sealVAES(SB), NOSPLIT, $0-56
	MOVQ s+0(FP), AX
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	MOVQ n+24(FP), CX
	MOVQ aad+32(FP), DX
	MOVQ aadLen+40(FP), BX
	MOVQ iv+48(FP), R8

	VBROADCASTI32X4 (KEYS+0)(AX), Z16
	VBROADCASTI32X4 (KEYS+16)(AX), Z17
	VBROADCASTI32X4 (KEYS+32)(AX), Z18
	VBROADCASTI32X4 (KEYS+48)(AX), Z19
	VBROADCASTI32X4 (KEYS+64)(AX), Z20
	VBROADCASTI32X4 (KEYS+80)(AX), Z21
	VBROADCASTI32X4 (KEYS+96)(AX), Z22
	VBROADCASTI32X4 (KEYS+112)(AX), Z23
	VBROADCASTI32X4 (KEYS+128)(AX), Z24
	VBROADCASTI32X4 (KEYS+144)(AX), Z25
	VBROADCASTI32X4 (KEYS+160)(AX), Z26
	POLYNOMIAL
	LEAQ POWERS_END(AX), R10
	LEAQ (DI)(CX*1), R13 // where the tag goes

	// Counters: 1 hides the tag, data begins with 2.
	VBROADCASTI32X4 reverse<>(SB), Z11
	VBROADCASTI32X4 (R8), Z12
	VMOVDQU64 X12, X7
	VPSHUFB Z11, Z12, Z12
	VPADDD first<>(SB), Z12, Z12
	VBROADCASTI32X4 step<>(SB), Z13
	ENCRYPT(X7, X16, X17, X18, X19, X20, X21, X22, X23, X24, X25, X26)

	VPXORQ Z6, Z6, Z6
	VPXORQ Z8, Z8, Z8
	VPXORQ Z9, Z9, Z9
	VPXORQ Z10, Z10, Z10

	// The header has the highest powers, before those of the first chunk.
	MEASURE
	TESTQ BX, BX
	JEQ  chunk
	LEAQ 15(BX), R8
	SHRQ $4, R8
	ADDQ R12, R8
	SHLQ $4, R8
	NEGQ R8
	MOVQ $-1, R9
	BZHIQ BX, R9, R9
	KMOVQ R9, K1
	VMOVDQU8.Z (DX), K1, Z0
	VPSHUFB Z11, Z0, Z0
	VMOVDQU64 (R10)(R8*1), Z1
	ACCUMULATE(Z0)

chunk:
	SHLQ $4, R12
	NEGQ R12
	ADDQ R10, R12 // at the power of the chunk's first block

	CMPQ R11, $256
	JLT  blocks
	ENCRYPT4
	VPXORQ (SI), Z0, Z0
	VPXORQ 64(SI), Z2, Z2
	VPXORQ 128(SI), Z3, Z3
	VPXORQ 192(SI), Z4, Z4
	VMOVDQU64 Z0, (DI)
	VMOVDQU64 Z2, 64(DI)
	VMOVDQU64 Z3, 128(DI)
	VMOVDQU64 Z4, 192(DI)
	HASH(Z2, 64)
	HASH(Z3, 128)
	HASH(Z4, 192)
	HASH_ON(Z0)
	ADDQ $256, SI
	ADDQ $256, DI
	JMP  summed

blocks:
	CMPQ R11, $64
	JLT  rest
	COUNT(Z0)
	ENCRYPT(Z0, Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26)
	VPXORQ (SI), Z0, Z0
	VMOVDQU64 Z0, (DI)
	HASH_ON(Z0)
	VPXORQ Z6, Z6, Z6
	ADDQ $64, R12
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $64, R11
	JMP  blocks

rest: // less than 64 bytes
	TESTQ R11, R11
	JLE  summed
	MOVQ $-1, R9
	BZHIQ R11, R9, R9
	KMOVQ R9, K1
	COUNT(Z0)
	ENCRYPT(Z0, Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26)
	VMOVDQU8.Z (SI), K1, Z1
	VPXORQ Z1, Z0, Z0
	VMOVDQU8 Z0, K1, (DI)
	VMOVDQU8.Z Z0, K1, Z0
	HASH_ON(Z0)

summed:
	CMPQ CX, $256
	JGT  reduce

	// The last block holds the lengths in bits.
	MOVQ n+24(FP), R8
	SHLQ $3, R8
	SHLQ $3, BX
	VMOVQ R8, X0
	VPINSRQ $1, BX, X0, X0
	VMOVDQU64 -16(R10), X1
	ACCUMULATE(Z0)

reduce:
	REDUCE
	VEXTRACTI64X4 $1, Z10, Y14
	VPXORQ Y14, Y10, Y10
	VEXTRACTI32X4 $1, Y10, X14
	VPXORQ X14, X10, X6
	SUBQ $256, CX
	JLE  done
	VPXORQ Z8, Z8, Z8
	VPXORQ Z9, Z9, Z9
	VPXORQ Z10, Z10, Z10
	MEASURE
	JMP  chunk

done:
	VPSHUFB X11, X6, X6
	VPXORQ X7, X6, X6
	VMOVDQU64 X6, (R13)
	VZEROUPPER
	RET

#define EXPAND(rcon, at) \
	AESKEYGENASSIST $rcon, X0, X1; \
	PSHUFD $0xff, X1, X1; \
	MOVOU X0, X2; \
	PSLLO $4, X2; \
	PXOR X2, X0; \
	PSLLO $4, X2; \
	PXOR X2, X0; \
	PSLLO $4, X2; \
	PXOR X2, X0; \
	PXOR X1, X0; \
	MOVOU X0, (KEYS+at)(DI)

// func expandKey(s *sealer, key *[16]byte)
TEXT ·expandKey(SB), NOSPLIT, $0-16
	MOVQ s+0(FP), DI
	MOVQ key+8(FP), SI
	MOVOU (SI), X0
	MOVOU X0, KEYS(DI)
	EXPAND(0x01, 16)
	EXPAND(0x02, 32)
	EXPAND(0x04, 48)
	EXPAND(0x08, 64)
	EXPAND(0x10, 80)
	EXPAND(0x20, 96)
	EXPAND(0x40, 112)
	EXPAND(0x80, 128)
	EXPAND(0x1b, 144)
	EXPAND(0x36, 160)
	RET

// func multiply(product, a, b *[2]uint64)
TEXT ·multiply(SB), NOSPLIT, $0-24
	MOVQ product+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	POLYNOMIAL
	VMOVDQU64 (SI), X0
	VMOVDQU64 (DX), X1
	VPXORQ Z8, Z8, Z8
	VPXORQ Z9, Z9, Z9
	VPXORQ Z10, Z10, Z10
	ACCUMULATE(Z0)
	REDUCE
	VMOVDQU64 X10, (DI)
	VZEROUPPER
	RET
