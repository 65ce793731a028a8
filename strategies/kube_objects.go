package strategies

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"

	"github.com/portlab/portlab/lab"
)

// object is an object of Kubernetes, as JSON.
type object = map[string]any

// maxEndpoints is how many endpoints an EndpointSlice takes.
const maxEndpoints = 1000

// objects is the file from which `portlab objects` gives the API server a node,
// a Service whose node port is the front's, and the replicas' addresses.
func (k kubeProxy) objects(f lab.Facts, front lab.Front, to []lab.Replica) (string, error) {
	if len(to) > maxEndpoints {
		return "", lab.Usagef("an EndpointSlice takes at most %d replicas, not %d", maxEndpoints, len(to))
	}
	const core, in = "/api/v1/", "namespaces/portlab/"
	family := fmt.Sprintf("IPv%d", f.Family)
	protocol := strings.ToUpper(f.Transport)
	policy := map[string]string{policyCluster: "Cluster", policyLocal: "Local"}[k.Settings()[trafficPolicy]]
	target := to[0].Address.Port() // all replicas listen on one port, each at its own address
	all := []any{
		placed(core+"nodes/"+kubeNode, "v1", "Node", kubeNode, nil),
		placed(core+"nodes/"+kubeNode+"/status", "v1", "Node", kubeNode, object{
			"status": object{"addresses": []object{{"type": "InternalIP", "address": front.Address.String()}}},
		}),
		placed(core+"namespaces/portlab", "v1", "Namespace", "portlab", nil),
		placed(core+in+"services/web", "v1", "Service", "web", object{"spec": object{
			"type": "NodePort", "externalTrafficPolicy": policy, "ipFamilies": []string{family}, "ipFamilyPolicy": "SingleStack",
			"ports": []object{{"port": front.Port, "targetPort": target, "nodePort": front.Port, "protocol": protocol}},
		}}),
		placed("/apis/discovery.k8s.io/v1/"+in+"endpointslices/web", "discovery.k8s.io/v1", "EndpointSlice", "web", object{
			"metadata":    object{"name": "web", "labels": object{"kubernetes.io/service-name": "web"}},
			"addressType": family,
			"ports":       []object{{"name": "", "port": target, "protocol": protocol}},
			"endpoints":   endpoints(to),
		}),
	}
	file := object{"server": "https://" + apiAddress(f.Family).String(), "token": kubeToken, "objects": all}
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return "", fmt.Errorf("the objects of Kubernetes: %w", err)
	}
	return string(text) + "\n", nil
}

// placed is an object with its place in the API.
func placed(path, version, kind, name string, fields object) object {
	body := object{"apiVersion": version, "kind": kind, "metadata": object{"name": name}}
	maps.Copy(body, fields)
	return object{"path": path, "body": body}
}

func endpoints(to []lab.Replica) []object {
	all := make([]object, len(to))
	for i, r := range to {
		all[i] = object{
			"addresses": []string{r.Address.Addr().String()}, "nodeName": kubeNode,
			"conditions": object{"ready": true},
		}
	}
	return all
}

// signingKey is the key that the API server wants for the tokens of service
// accounts, of which there are none. It comes from the run's id, so that the
// same input gives the same steps.
func signingKey(run lab.RunID) (string, error) {
	seed := sha256.Sum256([]byte("portlab " + run))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		return "", fmt.Errorf("make a key for service accounts: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("write the key for service accounts: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})), nil
}
