//go:build !race

package fetch

const defaultRobotsFiles = 4000
