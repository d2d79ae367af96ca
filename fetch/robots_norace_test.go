//go:build !race

package fetch

const defaultRobotsFiles = 6000
