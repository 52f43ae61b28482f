#include "textflag.h"
#include "vaes_amd64.h"

// AES-128-GCM of one short packet with 256-bit vectors (AVX2 with VAES and
// VPCLMULQDQ): two blocks at a time, in the same way as with 512-bit ones.

// Registers: Y0 to Y7 16 blocks, Y8 Y9 Y10 low, middle and high sums, Y11 a round
// key, Y12 what is hashed, Y13 Y14 scratch, Y15 counters. What hides the tag is
// in X12 as long as nothing is hashed.

DATA reverse2<>+0(SB)/8, $0x08090a0b0c0d0e0f
DATA reverse2<>+8(SB)/8, $0x0001020304050607
DATA reverse2<>+16(SB)/8, $0x08090a0b0c0d0e0f
DATA reverse2<>+24(SB)/8, $0x0001020304050607
GLOBL reverse2<>(SB), RODATA|NOPTR, $32

DATA poly2<>+0(SB)/8, $0xc200000000000000
DATA poly2<>+16(SB)/8, $0xc200000000000000
GLOBL poly2<>(SB), RODATA|NOPTR, $32

// Counters are in the last byte only: a packet has less than 254 blocks.
DATA count2<>+8(SB)/8, $0x0100000000000000 // the first two
DATA count2<>+24(SB)/8, $0x0200000000000000
DATA count2<>+40(SB)/8, $0x0200000000000000 // from two to others
DATA count2<>+56(SB)/8, $0x0200000000000000
DATA count2<>+72(SB)/8, $0x0400000000000000
DATA count2<>+88(SB)/8, $0x0400000000000000
DATA count2<>+104(SB)/8, $0x0600000000000000
DATA count2<>+120(SB)/8, $0x0600000000000000
DATA count2<>+136(SB)/8, $0x0800000000000000
DATA count2<>+152(SB)/8, $0x0800000000000000
DATA count2<>+168(SB)/8, $0x0a00000000000000
DATA count2<>+184(SB)/8, $0x0a00000000000000
DATA count2<>+200(SB)/8, $0x0c00000000000000
DATA count2<>+216(SB)/8, $0x0c00000000000000
DATA count2<>+232(SB)/8, $0x0e00000000000000
DATA count2<>+248(SB)/8, $0x0e00000000000000
DATA count2<>+264(SB)/8, $0x1000000000000000
DATA count2<>+280(SB)/8, $0x1000000000000000
GLOBL count2<>(SB), RODATA|NOPTR, $288

// The last r bytes of 16 become the first, by what lies 16-r bytes from here.
DATA last2<>+0(SB)/8, $0x0706050403020100
DATA last2<>+8(SB)/8, $0x0f0e0d0c0b0a0908
DATA last2<>+16(SB)/8, $0x8080808080808080
DATA last2<>+24(SB)/8, $0x8080808080808080
GLOBL last2<>(SB), RODATA|NOPTR, $32

// The first r bytes of 16 stay, by what lies 16-r bytes from here.
DATA stay2<>+0(SB)/8, $0xffffffffffffffff
DATA stay2<>+8(SB)/8, $0xffffffffffffffff
GLOBL stay2<>(SB), RODATA|NOPTR, $32

// Adds two blocks in Y12, from a place in memory on with its power, to the sums:
// three products for each (Karatsuba).
#define HASH2(at) \
	VMOVDQU at(R12), Y14; \
	VPCLMULQDQ $0x00, Y14, Y12, Y13; \
	VPXOR Y13, Y8, Y8; \
	VPCLMULQDQ $0x11, Y14, Y12, Y13; \
	VPXOR Y13, Y10, Y10; \
	VPSHUFD $0x4e, Y14, Y13; \
	VPXOR Y14, Y13, Y13; \
	VPSHUFD $0x4e, Y12, Y14; \
	VPXOR Y12, Y14, Y14; \
	VPCLMULQDQ $0x00, Y14, Y13, Y13; \
	VPXOR Y13, Y9, Y9

// The same with what was written to the chunk before.
#define AGAIN(at) \
	VMOVDQU (at-256)(DI), Y12; \
	VPSHUFB reverse2<>(SB), Y12, Y12; \
	HASH2(at)

#define CLEAR2 \
	VPXOR Y8, Y8, Y8; \
	VPXOR Y9, Y9, Y9; \
	VPXOR Y10, Y10, Y10

// Makes the sums the hash so far, in X10.
#define REDUCE2 \
	VPXOR Y8, Y9, Y9; \
	VPXOR Y10, Y9, Y9; \
	VPCLMULQDQ $0x00, poly2<>(SB), Y8, Y13; \
	VPSHUFD $0x4e, Y8, Y14; \
	VPXOR Y13, Y9, Y9; \
	VPXOR Y14, Y9, Y9; \
	VPCLMULQDQ $0x00, poly2<>(SB), Y9, Y13; \
	VPSHUFD $0x4e, Y9, Y14; \
	VPXOR Y13, Y10, Y10; \
	VPXOR Y14, Y10, Y10; \
	VEXTRACTI128 $1, Y10, X13; \
	VPXOR X13, X10, X10

#define KEY2(i) VBROADCASTI128 (KEYS+16*i)(AX), Y11

#define FOUR2(instruction) \
	instruction Y11, Y0, Y0; \
	instruction Y11, Y1, Y1; \
	instruction Y11, Y2, Y2; \
	instruction Y11, Y3, Y3

#define EIGHT2(instruction) \
	FOUR2(instruction); \
	instruction Y11, Y4, Y4; \
	instruction Y11, Y5, Y5; \
	instruction Y11, Y6, Y6; \
	instruction Y11, Y7, Y7

// The same with what hides the tag.
#define FOURTAG2(instruction) \
	FOUR2(instruction); \
	instruction X11, X12, X12

#define EIGHTTAG2(instruction) \
	EIGHT2(instruction); \
	instruction X11, X12, X12

#define ENCRYPT2(BLOCKS) \
	KEY2(0); \
	BLOCKS(VPXOR); \
	KEY2(1); \
	BLOCKS(VAESENC); \
	KEY2(2); \
	BLOCKS(VAESENC); \
	KEY2(3); \
	BLOCKS(VAESENC); \
	KEY2(4); \
	BLOCKS(VAESENC); \
	KEY2(5); \
	BLOCKS(VAESENC); \
	KEY2(6); \
	BLOCKS(VAESENC); \
	KEY2(7); \
	BLOCKS(VAESENC); \
	KEY2(8); \
	BLOCKS(VAESENC); \
	KEY2(9); \
	BLOCKS(VAESENC); \
	KEY2(10); \
	BLOCKS(VAESENCLAST)

// Sets 16 blocks to the next counters.
#define COUNT16 \
	VMOVDQA Y15, Y0; \
	VPADDD count2<>+32(SB), Y15, Y1; \
	VPADDD count2<>+64(SB), Y15, Y2; \
	VPADDD count2<>+96(SB), Y15, Y3; \
	VPADDD count2<>+128(SB), Y15, Y4; \
	VPADDD count2<>+160(SB), Y15, Y5; \
	VPADDD count2<>+192(SB), Y15, Y6; \
	VPADDD count2<>+224(SB), Y15, Y7; \
	VPADDD count2<>+256(SB), Y15, Y15

// Encrypts two blocks of a chunk.
#define CHANGE2(at, y) \
	VPXOR at(SI), y, y; \
	VMOVDQU y, at(DI)

// func sealVAES256(s *sealer, dst, src *byte, n int, aad *byte, aadLen int, low, high uint64)
TEXT ·sealVAES256(SB), NOSPLIT, $288-64
	MOVQ s+0(FP), AX
	MOVQ dst+8(FP), DI
	MOVQ src+16(FP), SI
	MOVQ n+24(FP), R11 // what is left
	MOVQ aad+32(FP), DX
	MOVQ aadLen+40(FP), BX
	LEAQ POWERS_END(AX), R10
	LEAQ (DI)(R11*1), R13 // where the tag goes

	// Counters: 1 hides the tag, data begins with 2.
	VMOVQ low+48(FP), X12
	VPINSRQ $1, high+56(FP), X12, X12
	VINSERTI128 $1, X12, Y12, Y15
	VPADDD count2<>(SB), Y15, Y15
	COUNT16
	CMPQ R11, $128
	JGT  wide
	ENCRYPT2(FOURTAG2)
	JMP  places

wide:
	ENCRYPT2(EIGHTTAG2)

places:
	VMOVDQU X12, tag-32(SP)
	CLEAR2

	// The header has the highest powers, before those of the first 16 blocks, or
	// of all and the lengths.
	MOVQ $16, R9
	CMPQ R11, $256
	JGT  header
	LEAQ 31(R11), R9
	SHRQ $4, R9

header:
	LEAQ 15(BX), R8
	SHRQ $4, R8
	ADDQ R9, R8
	SHLQ $4, R8
	MOVQ R10, R12
	SUBQ R8, R12 // at the power of the header's first block
	CMPQ BX, $24
	JEQ  words
	CMPQ BX, $28
	JNE  bytes

words: // as rtp.Stamp wrote it just now: other parts would have to be waited for
	VMOVQ (DX), X12
	VPINSRQ $1, 8(DX), X12, X12
	VMOVQ 16(DX), X13
	CMPQ BX, $24
	JEQ  whole
	VPINSRD $2, 24(DX), X13, X13

whole:
	VINSERTI128 $1, X13, Y12, Y12
	VPSHUFB reverse2<>(SB), Y12, Y12
	HASH2(0)
	JMP  first

bytes:
	MOVQ BX, CX

block: // of the header
	CMPQ CX, $16
	JLT  end
	VMOVDQU (DX), X12
	VPSHUFB reverse2<>(SB), Y12, Y12
	HASH2(0)
	ADDQ $16, R12
	ADDQ $16, DX
	SUBQ $16, CX
	JMP  block

end:
	TESTQ CX, CX
	JEQ  first
	LEAQ last2<>+16(SB), R8
	SUBQ CX, R8
	ADDQ CX, DX
	VMOVDQU -16(DX), X12
	VPSHUFB (R8), X12, X12
	VPSHUFB reverse2<>(SB), Y12, Y12
	HASH2(0)

first:
	VPXOR X14, X14, X14 // no hash so far
	VMOVDQU X14, hash-16(SP)
	SHLQ $4, R9
	MOVQ R10, R12
	SUBQ R9, R12 // at the power of the first block
	CMPQ R11, $256
	JLE  last

chunk: // 256 bytes; while the next are encrypted, they are hashed
	CHANGE2(0, Y0)
	CHANGE2(32, Y1)
	CHANGE2(64, Y2)
	CHANGE2(96, Y3)
	CHANGE2(128, Y4)
	CHANGE2(160, Y5)
	CHANGE2(192, Y6)
	CHANGE2(224, Y7)
	ADDQ $256, SI
	ADDQ $256, DI
	SUBQ $256, R11
	COUNT16
	KEY2(0)
	EIGHT2(VPXOR)
	KEY2(1)
	EIGHT2(VAESENC)
	AGAIN(32)
	KEY2(2)
	EIGHT2(VAESENC)
	AGAIN(64)
	KEY2(3)
	EIGHT2(VAESENC)
	AGAIN(96)
	KEY2(4)
	EIGHT2(VAESENC)
	AGAIN(128)
	KEY2(5)
	EIGHT2(VAESENC)
	AGAIN(160)
	KEY2(6)
	EIGHT2(VAESENC)
	AGAIN(192)
	KEY2(7)
	EIGHT2(VAESENC)
	AGAIN(224)
	KEY2(8)
	EIGHT2(VAESENC)
	VMOVDQU hash-16(SP), X13
	VMOVDQU -256(DI), Y12
	VPSHUFB reverse2<>(SB), Y12, Y12
	VPXOR Y13, Y12, Y12
	HASH2(0)
	KEY2(9)
	EIGHT2(VAESENC)
	REDUCE2
	VMOVDQU X10, hash-16(SP)
	CLEAR2
	KEY2(10)
	EIGHT2(VAESENCLAST)
	CMPQ R11, $256
	JGT  chunk

	LEAQ 31(R11), R12
	ANDQ $-16, R12
	NEGQ R12
	ADDQ R10, R12

last: // the last 16 blocks at most
	VMOVDQU Y0, data-288(SP)
	VMOVDQU Y1, data-256(SP)
	VMOVDQU Y2, data-224(SP)
	VMOVDQU Y3, data-192(SP)
	VMOVDQU Y4, data-160(SP)
	VMOVDQU Y5, data-128(SP)
	VMOVDQU Y6, data-96(SP)
	VMOVDQU Y7, data-64(SP)
	LEAQ data-288(SP), R9
	VMOVDQU hash-16(SP), X7

pair:
	CMPQ R11, $32
	JLT  rest
	VMOVDQU (R9), Y12
	VPXOR (SI), Y12, Y12
	VMOVDQU Y12, (DI)
	VPSHUFB reverse2<>(SB), Y12, Y12
	VPXOR Y7, Y12, Y12
	HASH2(0)
	VPXOR Y7, Y7, Y7
	ADDQ $32, R12
	ADDQ $32, R9
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $32, R11
	JMP  pair

rest: // less than two blocks
	CMPQ R11, $16
	JLT  part
	VMOVDQU (R9), X12
	VPXOR (SI), X12, X12
	VMOVDQU X12, (DI)
	VPSHUFB reverse2<>(SB), Y12, Y12
	VPXOR Y7, Y12, Y12
	HASH2(0)
	VPXOR Y7, Y7, Y7
	ADDQ $16, R12
	ADDQ $16, R9
	ADDQ $16, SI
	ADDQ $16, DI
	SUBQ $16, R11

part: // of a block: the tag comes over what is written too much
	TESTQ R11, R11
	JEQ  lengths
	LEAQ last2<>+16(SB), R8
	SUBQ R11, R8
	VMOVDQU -16(SI)(R11*1), X12
	VPSHUFB (R8), X12, X12
	VPXOR (R9), X12, X12
	LEAQ stay2<>+16(SB), R8
	SUBQ R11, R8
	VPAND (R8), X12, X12
	VMOVDQU X12, (DI)
	VPSHUFB reverse2<>(SB), Y12, Y12
	VPXOR Y7, Y12, Y12
	HASH2(0)

lengths: // in bits
	MOVQ n+24(FP), R8
	SHLQ $3, R8
	SHLQ $3, BX
	VMOVQ R8, X12
	VPINSRQ $1, BX, X12, X12
	LEAQ -16(R10), R12
	HASH2(0)
	REDUCE2
	VPSHUFB reverse2<>(SB), Y10, Y10
	VPXOR tag-32(SP), X10, X10
	VMOVDQU X10, (R13)
	VZEROUPPER
	RET

// func multiply(product, a, b *[2]uint64)
TEXT ·multiply(SB), NOSPLIT, $0-24
	MOVQ product+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), R12
	CLEAR2
	VMOVDQU (SI), X12
	VMOVDQU (R12), X14
	VPCLMULQDQ $0x00, X14, X12, X8
	VPCLMULQDQ $0x11, X14, X12, X10
	VPSHUFD $0x4e, X14, X13
	VPXOR X14, X13, X13
	VPSHUFD $0x4e, X12, X14
	VPXOR X12, X14, X14
	VPCLMULQDQ $0x00, X14, X13, X9
	REDUCE2
	VMOVDQU X10, (DI)
	VZEROUPPER
	RET

// func features() (ecx uint32)
TEXT ·features(SB), NOSPLIT, $0-4
	MOVL $7, AX
	XORL CX, CX
	CPUID
	MOVL CX, ecx+0(FP)
	RET
