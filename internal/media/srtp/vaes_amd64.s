#include "textflag.h"
#include "vaes_amd64.h"

// AES-128-GCM of one short packet with 512-bit vectors (AVX-512 with VAES and
// VPCLMULQDQ): four blocks at a time.
//
// GHASH works on blocks whose 16 bytes are reversed: the coefficient of x^0 is
// then the highest bit. A product of two such numbers lies one bit too low, so
// the powers of the hash key are kept over x. The products of up to 21 blocks
// are summed up before they are reduced, each block with the power of its place.

// Registers: Z0 and Z2 to Z4 data, Z28 to Z31 ciphertext that is not hashed yet,
// Z1 powers, Z8 Z9 Z10 low, middle and high sums, Z14 Z15 scratch, X6 the hash so
// far, X7 the block that hides the tag, Z11 reverses the bytes of blocks, Z12
// counters and Z13 their step, Z16 to Z26 round keys, Z27 the polynomial.

DATA reverse<>+0(SB)/8, $0x08090a0b0c0d0e0f
DATA reverse<>+8(SB)/8, $0x0001020304050607
GLOBL reverse<>(SB), RODATA|NOPTR, $16

// Counters are in the last byte only: a packet has less than 254 blocks.
DATA first<>+8(SB)/8, $0x0100000000000000
DATA first<>+24(SB)/8, $0x0200000000000000
DATA first<>+40(SB)/8, $0x0300000000000000
DATA first<>+56(SB)/8, $0x0400000000000000
GLOBL first<>(SB), RODATA|NOPTR, $64

DATA step<>+8(SB)/8, $0x0400000000000000
GLOBL step<>(SB), RODATA|NOPTR, $16

// Adds blocks times the powers in Z1 to the sums.
#define ACCUMULATE(x) \
	VPCLMULQDQ $0x00, Z1, x, Z14; \
	VPXORQ Z14, Z8, Z8; \
	VPCLMULQDQ $0x11, Z1, x, Z15; \
	VPXORQ Z15, Z10, Z10; \
	VPCLMULQDQ $0x01, Z1, x, Z14; \
	VPCLMULQDQ $0x10, Z1, x, Z15; \
	VPTERNLOGQ $0x96, Z14, Z15, Z9

// The same with the powers from an offset on.
#define HASH(x, at) \
	VMOVDQU64 at(R12), Z1; \
	ACCUMULATE(x)

// Makes the sums the hash so far: twice, the lowest 64 bits go to where x^128 =
// x^7 + x^2 + x + 1 takes them, then the four blocks become one.
#define REDUCE \
	VPCLMULQDQ $0x00, Z27, Z8, Z14; \
	VPSHUFD $0x4e, Z8, Z15; \
	VPTERNLOGQ $0x96, Z14, Z15, Z9; \
	VPCLMULQDQ $0x00, Z27, Z9, Z14; \
	VPSHUFD $0x4e, Z9, Z15; \
	VPTERNLOGQ $0x96, Z14, Z15, Z10; \
	VEXTRACTI64X4 $1, Z10, Y14; \
	VPXORQ Y14, Y10, Y10; \
	VEXTRACTI32X4 $1, Y10, X14; \
	VPXORQ X14, X10, X6

#define CLEAR \
	VPXORQ Z8, Z8, Z8; \
	VPXORQ Z9, Z9, Z9; \
	VPXORQ Z10, Z10, Z10

// Does one thing with 16 blocks.
#define ROUND4(instruction, k) \
	instruction k, Z0, Z0; \
	instruction k, Z2, Z2; \
	instruction k, Z3, Z3; \
	instruction k, Z4, Z4

// The same with the block that hides the tag, and with all or half of the rest.
#define ROUND5(instruction, k, l) \
	ROUND4(instruction, k); \
	instruction l, X7, X7

#define ROUND3(instruction, k, l) \
	instruction k, Z0, Z0; \
	instruction k, Z2, Z2; \
	instruction l, X7, X7

#define ENCRYPT(ROUND) \
	ROUND(VPXORQ, Z16, X16); \
	ROUND(VAESENC, Z17, X17); \
	ROUND(VAESENC, Z18, X18); \
	ROUND(VAESENC, Z19, X19); \
	ROUND(VAESENC, Z20, X20); \
	ROUND(VAESENC, Z21, X21); \
	ROUND(VAESENC, Z22, X22); \
	ROUND(VAESENC, Z23, X23); \
	ROUND(VAESENC, Z24, X24); \
	ROUND(VAESENC, Z25, X25); \
	ROUND(VAESENCLAST, Z26, X26)

// Sets 16 blocks to the next counters.
#define COUNT4 \
	VMOVDQA64 Z12, Z0; \
	VPADDD Z13, Z12, Z2; \
	VPADDD Z13, Z2, Z3; \
	VPADDD Z13, Z3, Z4; \
	VPADDD Z13, Z4, Z12

// func sealVAES512(s *sealer, dst, src *byte, n int, aad *byte, aadLen int, low, high uint64)
TEXT ·sealVAES512(SB), NOSPLIT, $0-64
	MOVQ s+0(FP), AX
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	MOVQ n+24(FP), R11 // what is left
	MOVQ aad+32(FP), DX
	MOVQ aadLen+40(FP), BX

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
	MOVQ $0xc200000000000000, R9
	VPBROADCASTQ R9, Z27
	LEAQ POWERS_END(AX), R10
	LEAQ (DI)(R11*1), R13 // where the tag goes

	// Counters: 1 hides the tag, data begins with 2.
	VBROADCASTI32X4 reverse<>(SB), Z11
	VMOVQ low+48(FP), X7
	VPINSRQ $1, high+56(FP), X7, X7
	VSHUFI64X2 $0, Z7, Z7, Z12
	VPADDD first<>(SB), Z12, Z12
	VBROADCASTI32X4 step<>(SB), Z13

	VPXORQ Z6, Z6, Z6
	CLEAR
	COUNT4
	CMPQ R11, $128
	JGT  wide
	ENCRYPT(ROUND3)
	JMP  places

wide:
	ENCRYPT(ROUND5)

places:
	// The header has the highest powers, before those of the first 16 blocks, or
	// of all and the lengths.
	MOVQ $16, R12
	CMPQ R11, $256
	JGT  header
	LEAQ 31(R11), R12
	SHRQ $4, R12

header:
	TESTQ BX, BX
	JEQ  first
	CMPQ BX, $24
	JEQ  words
	CMPQ BX, $28
	JNE  bytes

words: // as rtp.Stamp wrote it just now: other parts would have to be waited for
	VMOVQ (DX), X5
	VPINSRQ $1, 8(DX), X5, X5
	VMOVQ 16(DX), X1
	CMPQ BX, $24
	JEQ  whole
	VPINSRD $2, 24(DX), X1, X1

whole:
	VINSERTI128 $1, X1, Y5, Y5
	LEAQ 2(R12), R8
	JMP  hashed

bytes:
	LEAQ 15(BX), R8
	SHRQ $4, R8
	ADDQ R12, R8
	MOVQ $-1, R9
	BZHIQ BX, R9, R9
	KMOVQ R9, K1
	VMOVDQU8.Z (DX), K1, Z5

hashed:
	SHLQ $4, R8
	NEGQ R8
	VPSHUFB Z11, Z5, Z5
	VMOVDQU64 (R10)(R8*1), Z1
	ACCUMULATE(Z5)

first:
	SHLQ $4, R12
	NEGQ R12
	ADDQ R10, R12 // at the power of the first block
	CMPQ R11, $256
	JLE  last

chunk: // 256 bytes; while the next are encrypted, they are hashed
	VPXORQ (SI), Z0, Z0
	VPXORQ 64(SI), Z2, Z2
	VPXORQ 128(SI), Z3, Z3
	VPXORQ 192(SI), Z4, Z4
	VMOVDQU64 Z0, (DI)
	VMOVDQU64 Z2, 64(DI)
	VMOVDQU64 Z3, 128(DI)
	VMOVDQU64 Z4, 192(DI)
	VPSHUFB Z11, Z0, Z28
	VPSHUFB Z11, Z2, Z29
	VPSHUFB Z11, Z3, Z30
	VPSHUFB Z11, Z4, Z31
	VPXORQ Z6, Z28, Z28
	ADDQ $256, SI
	ADDQ $256, DI
	SUBQ $256, R11
	COUNT4
	ROUND4(VPXORQ, Z16)
	ROUND4(VAESENC, Z17)
	HASH(Z29, 64)
	ROUND4(VAESENC, Z18)
	ROUND4(VAESENC, Z19)
	HASH(Z30, 128)
	ROUND4(VAESENC, Z20)
	ROUND4(VAESENC, Z21)
	HASH(Z31, 192)
	ROUND4(VAESENC, Z22)
	ROUND4(VAESENC, Z23)
	HASH(Z28, 0)
	ROUND4(VAESENC, Z24)
	REDUCE
	CLEAR
	ROUND4(VAESENC, Z25)
	ROUND4(VAESENCLAST, Z26)
	CMPQ R11, $256
	JGT  chunk

	LEAQ 31(R11), R12
	ANDQ $-16, R12
	NEGQ R12
	ADDQ R10, R12

last: // the last 16 blocks at most
	CMPQ R11, $64
	JLT  rest
	VPXORQ (SI), Z0, Z0
	VMOVDQU64 Z0, (DI)
	VPSHUFB Z11, Z0, Z0
	VPXORQ Z6, Z0, Z0
	HASH(Z0, 0)
	VPXORQ Z6, Z6, Z6
	VMOVDQA64 Z2, Z0
	VMOVDQA64 Z3, Z2
	VMOVDQA64 Z4, Z3
	ADDQ $64, R12
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $64, R11
	JMP  last

rest: // less than 64 bytes
	TESTQ R11, R11
	JEQ  lengths
	MOVQ $-1, R9
	BZHIQ R11, R9, R9
	KMOVQ R9, K1
	VMOVDQU8.Z (SI), K1, Z1
	VPXORQ Z1, Z0, Z0
	VMOVDQU8 Z0, K1, (DI)
	VMOVDQU8.Z Z0, K1, Z0
	VPSHUFB Z11, Z0, Z0
	VPXORQ Z6, Z0, Z0
	HASH(Z0, 0)

lengths: // in bits
	MOVQ n+24(FP), R8
	SHLQ $3, R8
	SHLQ $3, BX
	VMOVQ R8, X0
	VPINSRQ $1, BX, X0, X0
	VMOVDQU64 -16(R10), X1
	ACCUMULATE(Z0)
	REDUCE
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
