// A sealer's fields.
#define KEYS 0
#define POWERS 176 // the 21st first
#define POWERS_END (POWERS+21*16)
