package scenarios

import "github.com/portlab/portlab/lab"

const article = `I. Velichko, "How to Expose Multiple Containers On the Same Port", 2021`

// enough connections that a fair balancer between two replicas is shown to be
// balanced: the interval is then 2.2 points to either side and the tolerance
// 10, so that a fair one fails by chance less than once in 10^11 runs.
const enough = 2000

// balanced is what a balancer must show: its shares, and that it loses nothing.
var balanced = []Expectation{{"shares", lab.Held}, {"no loss", lab.Held}}

// Article holds the article's experiments and the faults of its recipe.
func Article() []Scenario {
	return []Scenario{
		{
			Name:      "article-sandbox",
			Statement: "Containers that share one network namespace and set SO_REUSEPORT share one port evenly.",
			Source:    article,
			Trials:    []Trial{{Strategy: "reuseport", Vantage: lab.External, Replicas: 2, Requests: enough, Expect: balanced}},
		},
		{
			Name:      "article-dnat",
			Statement: "Destination NAT with the statistic match spreads connections evenly, from another machine and from the host.",
			Source:    article,
			Trials: []Trial{
				{Strategy: "dnat", Vantage: lab.External, Replicas: 2, Requests: enough, Expect: balanced},
				{Strategy: "dnat", Vantage: lab.OnHost, Replicas: 2, Requests: enough, Expect: balanced},
			},
		},
		{
			Name:      "article-port-clash",
			Statement: "A second container cannot be published on a port that is taken.",
			Source:    article,
			Trials: []Trial{{
				Strategy: "docker-publish-each", Vantage: lab.External, Replicas: 2, Requests: 1,
				Expect: []Expectation{{"no loss", lab.RefusedByHost}},
			}},
		},
		{
			Name:      "article-ten-percent-each",
			Statement: "Rules with 10% each and 100% for the last give the last of ten replicas 38.7% instead of 10%.",
			Source:    article,
			Trials: []Trial{{
				Strategy: "dnat-naive", Vantage: lab.External, Replicas: 10, Requests: enough,
				Expect: []Expectation{{"shares", lab.Refuted}, {"no loss", lab.Held}},
			}},
		},
		{
			Name:      "right-cascade",
			Statement: "The cascade 1/n, 1/(n-1), ..., 1 gives each of ten replicas its tenth.",
			Trials: []Trial{{
				Strategy: "dnat", Vantage: lab.External, Replicas: 10, Requests: 2 * enough,
				Expect: []Expectation{{"share within 50%", lab.Held}, {"no loss", lab.Held}},
			}},
		},
		{
			Name:      "weights",
			Statement: "Weights of 3 and 1 give shares of three quarters and one quarter.",
			Trials: []Trial{{
				Strategy: "dnat", Vantage: lab.External, Replicas: 2, Weights: []float64{3, 1}, Requests: enough,
				Expect: balanced,
			}},
		},
	}
}
