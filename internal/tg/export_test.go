package tg

import "slices"

// Layers returns the layers in which something changed, in order.
func Layers() []int {
	all := []int{Layer}
	for _, v := range variants {
		all = append(all, int(v.layer))
	}
	slices.Sort(all)
	return slices.Compact(all)
}
