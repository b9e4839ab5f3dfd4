package httpapi
import ("testing";"os")
func TestDump(t *testing.T){ b,err:=OpenAPI(Options{Name:"n",Version:"v",Prefix:"/api"}); if err!=nil{t.Fatal(err)}; os.WriteFile("/tmp/openapi.json",b,0o644); b,err=OpenAPI30(Options{Name:"n",Version:"v",Prefix:"/api"}); os.WriteFile("/tmp/openapi30.json",b,0o644); New(Options{Name:"n",Prefix:"/api"}) }
